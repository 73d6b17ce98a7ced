;; Named by the policy type cloudify.policies.types.threshold. No policy engine runs
;; such sources any more; the file is here so that the name leads somewhere.
