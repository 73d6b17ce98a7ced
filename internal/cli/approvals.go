package cli

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

var approvalColumns = []string{
	"id", "status", "question", "deployment_id", "execution_id", "node_instance_id", "approvers", "created_at", "expires_at", "created_by",
	"decided_by",
}

func (a *app) approvalsCommand() *cobra.Command {
	return group("approvals", "Answer what executions ask people for",
		a.listApprovalsCommand(),
		leaf("get APPROVAL", "Show what is asked, and the answer", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			v, err := a.request(c, http.MethodGet, "/approvals/"+url.PathEscape(args[0]), nil)
			o, _ := v.(object)
			if err != nil || a.json {
				return errors.Join(err, a.jsonOf(o, err))
			}
			return a.details("Approval:", append(append([]string{}, approvalColumns...),
				"operation", "details", "on_timeout", "not_by_starter", "decided_at", "comment"), o)
		}),
		a.answerCommand("approve", "Say yes: the execution goes on"),
		a.answerCommand("reject", "Say no: the operation fails"),
	)
}

func (a *app) listApprovalsCommand() *cobra.Command {
	var deployment, execution string
	var answered bool
	list := a.lister("list", "List what waits for an answer", "/approvals", "Approvals:", fixed(approvalColumns), func(q url.Values) {
		if !answered {
			q.Set("status", "waiting")
		}
		for name, v := range map[string]string{"deployment_id": deployment, "execution_id": execution} {
			if v != "" {
				q.Set(name, v)
			}
		}
	}, nil)
	list.Flags().BoolVar(&answered, "all", false, "also what was answered or withdrawn")
	list.Flags().StringVarP(&deployment, "deployment-id", "d", "", "only of this deployment")
	list.Flags().StringVarP(&execution, "execution-id", "e", "", "only of this execution")
	return list
}

func (a *app) answerCommand(action, short string) *cobra.Command {
	var comment string
	c := leaf(action+" APPROVAL", short, cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		v, err := a.request(c, http.MethodPost, "/approvals/"+url.PathEscape(args[0]), object{"action": action, "comment": comment})
		o, _ := v.(object)
		if err != nil || a.json {
			return errors.Join(err, a.jsonOf(o, err))
		}
		if action == "reject" {
			a.say("Approval %v is rejected: its operation in execution %v fails", o["id"], o["execution_id"])
			return nil
		}
		a.say("Approval %v is given: execution %v goes on", o["id"], o["execution_id"])
		return nil
	}
	c.Flags().StringVarP(&comment, "comment", "m", "", "why; it is kept with the answer")
	return c
}
