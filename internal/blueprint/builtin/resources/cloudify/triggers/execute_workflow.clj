;; Named by the trigger cloudify.policies.triggers.execute_workflow. No policy
;; engine runs such sources any more; the file is here so that the name leads
;; somewhere.
