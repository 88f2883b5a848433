package javareaders

import (
	"reflect"
	"testing"
)

const printed = `-- A comment; with a semicolon
--   SELECT "status", COUNT(*) FROM "t"
--   WHERE "salt" IN (X'00') GROUP BY "status";
-- More.
CREATE VIEW "t" (
  "a" VARCHAR
);

SELECT 1;
`

func TestStatementsOmitComments(t *testing.T) {
	want := []string{"CREATE VIEW \"t\" (\n  \"a\" VARCHAR\n)", "SELECT 1"}
	if got := Statements(printed); !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	if got := Example(printed); got != `SELECT "status", COUNT(*) FROM "t" WHERE "salt" IN (X'00') GROUP BY "status"` {
		t.Errorf("%q", got)
	}
	if got := Example("CREATE TABLE t;\n"); got != "" {
		t.Errorf("an example where there is none: %q", got)
	}
}

func TestRowsBelongToTheirStatement(t *testing.T) {
	rows, err := parseRows("1\ta\tnull\n0\t7\n1\tb\t\n", 3)
	want := [][]Row{{{"7"}}, {{"a", "null"}, {"b", ""}}, nil}
	if err != nil || !reflect.DeepEqual(rows, want) {
		t.Errorf("%q, %v", rows, err)
	}
	for _, text := range []string{"3\ta\n", "warning: x\n", "\n"} {
		if rows, err := parseRows(text, 3); err == nil {
			t.Errorf("%q: %q", text, rows)
		}
	}
}
