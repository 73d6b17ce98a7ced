package storetest

import (
	"errors"
	"fmt"
	"strings"

	"windlass/internal/store"
)

func deploymentIDs(s *subject, q store.Query) (string, int) {
	s.Helper()
	page, err := s.ListDeployments(s.ctx(), q)
	s.must(err)
	ids := []string{}
	for _, d := range page.Items {
		ids = append(ids, d.ID)
	}
	return strings.Join(ids, " "), page.Total
}

var queryTests = []test{
	{"comparisons", func(s *subject) {
		s.write(func(tx store.Tx) error {
			for i, d := range []store.Deployment{
				{ID: "Web-1", DisplayName: "100%", SiteName: "oslo", Description: ptr("Größe")},
				{ID: "web_2", DisplayName: `a\b`, Description: ptr("")},
				{ID: "db", DisplayName: "100", SiteName: "Bergen"},
			} {
				d.Owned = owned("a", i)
				s.must(tx.AddDeployment(s.ctx(), d))
			}
			return nil
		})
		for _, tt := range []struct {
			field  string
			op     store.Op
			values []string
			want   string
		}{
			{"id", store.In, []string{"db", "Web-1"}, "Web-1 db"},
			{"id", store.In, []string{"web-1"}, ""},
			{"id", store.In, nil, ""},
			{"id", store.NotIn, []string{"db", "x"}, "Web-1 web_2"},
			{"id", store.NotIn, nil, "Web-1 web_2 db"},
			{"id", store.In, []string{"d\x00b", "d\xffb"}, ""},
			{"description", store.NotIn, []string{""}, "Web-1 db"},
			{"description", store.In, []string{""}, "web_2 db"},
			{"description", store.NotIn, []string{"Größe"}, "web_2 db"},
			{"id", store.Contains, []string{"eb"}, "Web-1 web_2"},
			{"id", store.Contains, []string{"W", "d"}, "Web-1 db"},
			{"id", store.Contains, []string{"_"}, "web_2"},
			{"display_name", store.Contains, []string{"%"}, "Web-1"},
			{"display_name", store.Contains, []string{`\`}, "web_2"},
			{"description", store.Contains, []string{"öß"}, "Web-1"},
			{"id", store.NotContains, []string{"W", "_"}, "db"},
			{"description", store.NotContains, []string{"ö"}, "web_2 db"},
			{"id", store.StartsWith, []string{"WEB"}, "Web-1 web_2"},
			{"id", store.StartsWith, []string{"web_"}, "web_2"},
			{"display_name", store.StartsWith, []string{"100%"}, "Web-1"},
			{"site_name", store.EndsWith, []string{"EN", "slo"}, "Web-1 db"},
			{"display_name", store.EndsWith, []string{`\b`}, "web_2"},
			{"site_name", store.IsNull, nil, "web_2"},
			{"site_name", store.IsNotNull, nil, "Web-1 db"},
			{"description", store.IsNull, nil, "web_2 db"},
			{"id", store.Like, []string{"w_b%"}, "Web-1 web_2"},
			{"id", store.Like, []string{`%\_2`, "d_"}, "web_2 db"},
			{"id", store.AtLeast, []string{"db"}, "web_2 db"},
			{"id", store.Below, []string{"db"}, "Web-1"},
			{"drifted_instances", store.In, []string{"0", "x"}, "Web-1 web_2 db"},
			{"drifted_instances", store.In, []string{"x"}, ""},
			{"drifted_instances", store.Contains, []string{"0"}, "Web-1 web_2 db"},
			{"runtime_only_evaluation", store.In, []string{"true"}, ""},
		} {
			f := store.Filter{Field: tt.field, Op: tt.op, Values: tt.values}
			if got, _ := deploymentIDs(s, where(f)); got != tt.want {
				s.Errorf("%s %q %q: got %q, want %q", tt.field, tt.op, tt.values, got, tt.want)
			}
		}
		for _, search := range []string{"EB", "_", "%", "", `\`} {
			got, _ := deploymentIDs(s, store.Query{Search: search})
			if want := map[string]string{"EB": "Web-1 web_2", "_": "web_2", "": "Web-1 web_2 db"}[search]; got != want {
				s.Errorf("search %q: got %q, want %q", search, got, want)
			}
		}
		got, _ := deploymentIDs(s, where(field("id", "db", "web_2"), store.Filter{Field: "id", Op: store.StartsWith, Values: []string{"web"}}))
		same(s, got, "web_2")
	}},
	{"very many values", func(s *subject) {
		s.write(func(tx store.Tx) error {
			s.must(tx.AddDeployment(s.ctx(), store.Deployment{Owned: owned("a", 1), ID: "n77"}))
			return tx.AddDeployment(s.ctx(), store.Deployment{Owned: owned("a", 2), ID: `x"ü`})
		})
		values := []string{`x"ü`}
		for i := range 70000 {
			values = append(values, fmt.Sprint("n", i))
		}
		got, _ := deploymentIDs(s, where(field("id", values...)))
		same(s, got, `n77 x"ü`)
		got, _ = deploymentIDs(s, where(store.Filter{Field: "id", Op: store.NotIn, Values: values[1:]}))
		same(s, got, `x"ü`)
	}},
	{"unknown fields are named with the allowed ones", func(s *subject) {
		_, err := s.ListNodes(s.ctx(), where(field("id", "x"), field("nope", "x"), field("no_way")))
		if !errors.Is(err, store.ErrBadQuery) ||
			!strings.Contains(err.Error(), "Filter keys '['nope', 'no_way']' do not exist. Allowed keys are: ['blueprint_id', 'created_by', ") {
			s.Errorf("got error %v", err)
		}
		_, err = s.ListNodes(s.ctx(), store.Query{Sort: []store.SortKey{{Field: "id; DROP TABLE nodes"}}})
		if !errors.Is(err, store.ErrBadQuery) {
			s.Errorf("got error %v, want a bad query", err)
		}
		_, err = s.ListNodes(s.ctx(), where(store.Filter{Field: "id", Op: "magic"}))
		if !errors.Is(err, store.ErrBadQuery) {
			s.Errorf("got error %v, want a bad query", err)
		}
	}},
	{"who sees what", func(s *subject) {
		s.write(func(tx store.Tx) error {
			for i, d := range []struct {
				tenant, id, by string
				visibility     store.Visibility
			}{
				{"a", "a-tenant", "jo", store.Tenants}, {"a", "a-private", "jo", store.Private}, {"a", "a-global", "jo", store.Global},
				{"b", "b-tenant", "mo", store.Tenants}, {"b", "b-private", "mo", store.Private}, {"b", "b-global", "mo", store.Global},
			} {
				o := store.Owned{Tenant: d.tenant, Visibility: d.visibility, CreatedBy: d.by, CreatedAt: at(i)}
				s.must(tx.AddDeployment(s.ctx(), store.Deployment{Owned: o, ID: d.id}))
			}
			return nil
		})
		for _, tt := range []struct {
			tenants []string
			viewer  string
			want    string
		}{
			{nil, "", "a-tenant a-private a-global b-tenant b-private b-global"},
			{[]string{"a"}, "", "a-tenant a-private a-global b-global"},
			{[]string{"a"}, "jo", "a-tenant a-private a-global b-global"},
			{[]string{"a"}, "mo", "a-tenant a-global b-global"},
			{[]string{"a", "b"}, "mo", "a-tenant a-global b-tenant b-private b-global"},
			{[]string{"c"}, "mo", "a-global b-global"},
			{nil, "jo", "a-tenant a-private a-global b-tenant b-global"},
		} {
			for _, limit := range []int{0, 1} {
				got, total := deploymentIDs(s, store.Query{Tenants: tt.tenants, Viewer: tt.viewer, Limit: limit})
				want := strings.Fields(tt.want)
				if limit == 1 && got != want[0] || limit == 0 && got != tt.want || total != len(want) {
					s.Errorf("%v %s: got %q of %d, want %q", tt.tenants, tt.viewer, got, total, tt.want)
				}
			}
		}
		if _, err := s.GetDeployment(s.ctx(), "a", "b-tenant"); !errors.Is(err, store.ErrNotFound) {
			s.Errorf("got another tenant's deployment: %v", err)
		}
		d, err := s.GetDeployment(s.ctx(), "a", "b-global")
		s.must(err)
		same(s, d.Tenant, "b")
	}},
	{"sorting and paging", func(s *subject) {
		const n = 25
		s.write(func(tx store.Tx) error {
			for i := range n {
				d := store.Deployment{Owned: owned("a", i/5), ID: fmt.Sprintf("d%02d", n-1-i), BlueprintID: fmt.Sprint("bp", i%2), UpdatedAt: at(i % 3)}
				if i%3 == 0 {
					d.UpdatedAt = d.UpdatedAt.AddDate(-3000, 0, 0)
				}
				if i == 7 {
					d.UpdatedAt = store.Deployment{}.UpdatedAt
				}
				s.must(tx.AddDeployment(s.ctx(), d))
			}
			return nil
		})
		for _, sort := range [][]store.SortKey{
			nil,
			{{Field: "created_at", Descending: true}},
			{{Field: "id"}},
			{{Field: "blueprint_id", Descending: true}, {Field: "id"}},
			{{Field: "updated_at"}},
			{{Field: "updated_at", Descending: true}},
			{{Field: "latest_execution_workflow_id"}},
		} {
			whole, total := deploymentIDs(s, store.Query{Sort: sort})
			same(s, total, n)
			var pages []string
			for offset := 0; offset < n+4; offset += 4 {
				page, total := deploymentIDs(s, store.Query{Sort: sort, Limit: 4, Offset: offset})
				same(s, total, n)
				pages = append(pages, strings.Fields(page)...)
			}
			same(s, strings.Join(pages, " "), whole)
			same(s, strings.Join(pagedByKey(s, sort, 4, func(int) {}), " "), whole)
			rest, _ := deploymentIDs(s, store.Query{Sort: sort, Offset: 20})
			same(s, rest, strings.Join(pages[20:], " "))
			switch {
			case sort == nil && !strings.HasPrefix(whole, "d24 d23 d22"),
				len(sort) == 1 && sort[0].Field == "id" && !strings.HasPrefix(whole, "d00 d01 d02"),
				len(sort) == 2 && !strings.HasPrefix(whole, "d01 d03 d05"),
				len(sort) == 1 && sort[0].Field == "updated_at" && !sort[0].Descending && !strings.HasPrefix(whole, "d17 "),
				len(sort) == 1 && sort[0].Field == "updated_at" && sort[0].Descending && !strings.HasSuffix(whole, " d17"):
				s.Errorf("sorted by %v: %s", sort, whole)
			}
		}
	}},
	{"pages by key neither repeat nor miss what stays", func(s *subject) {
		const n = 12
		for i := range n {
			s.write(func(tx store.Tx) error {
				return tx.AddDeployment(s.ctx(), store.Deployment{Owned: owned("a", i), ID: fmt.Sprintf("d%02d", i), BlueprintID: fmt.Sprint("bp", i%2)})
			})
		}
		for _, tt := range []struct {
			sort []store.SortKey
			want string
		}{
			{nil, "d00 d01 d02 d04 d05 d06 d07 d08 d09 d10 d11 e1 e2 e3"},
			{[]store.SortKey{{Field: "blueprint_id", Descending: true}, {Field: "id"}}, "d01 d03 d05 d07 d09 d11 d00 d02 d04 d06 d08 d10"},
		} {
			got := pagedByKey(s, tt.sort, 3, func(page int) {
				s.write(func(tx store.Tx) error {
					if page == 1 && tt.sort == nil { // the last row of the page before is gone
						s.must(tx.DeleteDeployment(s.ctx(), "a", "d02"))
						s.must(tx.DeleteDeployment(s.ctx(), "a", "d03"))
					}
					if page <= 3 && tt.sort == nil {
						return tx.AddDeployment(s.ctx(), store.Deployment{Owned: owned("a", 100+page), ID: fmt.Sprint("e", page), BlueprintID: "bp0"})
					}
					return nil
				})
			})
			if tt.sort == nil {
				same(s, strings.Join(got, " "), tt.want)
				s.write(func(tx store.Tx) error {
					for _, id := range []string{"e1", "e2", "e3"} {
						s.must(tx.DeleteDeployment(s.ctx(), "a", id))
					}
					s.must(tx.AddDeployment(s.ctx(), store.Deployment{Owned: owned("a", 2), ID: "d02", BlueprintID: "bp0"}))
					return tx.AddDeployment(s.ctx(), store.Deployment{Owned: owned("a", 3), ID: "d03", BlueprintID: "bp1"})
				})
				continue
			}
			same(s, strings.Join(got, " "), tt.want)
		}
		first, err := s.ListDeployments(s.ctx(), store.Query{Limit: 3, Sort: []store.SortKey{{Field: "id"}}})
		s.must(err)
		for _, q := range []store.Query{
			{After: "nonsense!"}, {After: "bm9uc2Vuc2U"}, {After: first.Next}, {After: first.Next, Sort: []store.SortKey{{Field: "id", Descending: true}}},
		} {
			if _, err := s.ListDeployments(s.ctx(), q); !errors.Is(err, store.ErrBadQuery) {
				s.Errorf("going on behind %q in order %v: got %v, want a bad query", q.After, q.Sort, err)
			}
		}
	}},
}

// pagedByKey lists all deployments, so many at a time; between is called before
// each page but the first.
func pagedByKey(s *subject, sort []store.SortKey, size int, between func(page int)) (ids []string) {
	s.Helper()
	q := store.Query{Sort: sort, Limit: size}
	for n := 0; ; n++ {
		if n > 0 {
			between(n)
		}
		page, err := s.ListDeployments(s.ctx(), q)
		s.must(err)
		for _, d := range page.Items {
			ids = append(ids, d.ID)
		}
		if page.Next == "" {
			return ids
		}
		if len(page.Items) == 0 || n > 1000 {
			s.Fatalf("page %d of %d has %d items and goes on", n, size, len(page.Items))
		}
		q.After = page.Next
	}
}
