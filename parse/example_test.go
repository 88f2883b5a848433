package parse_test

import (
	"fmt"

	"sluice/parse"
	"sluice/schema"
)

// A line of the format common becomes typed fields.
func ExampleFormat_Parse() {
	f, err := parse.Lookup("common", nil)
	if err != nil {
		panic(err)
	}
	var rec schema.Record
	f.Parse([]byte(`192.0.2.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif HTTP/1.0" 200 2326`), &rec)
	for i, field := range rec.Fields {
		if !rec.Null(i) && !field.Derived {
			fmt.Printf("%s=%s ", field.Name, rec.Bytes(i))
		}
	}
	fmt.Println(rec.Time)
	// Output: client=192.0.2.1 user=frank time=10/Oct/2000:13:55:36 -0700 method=GET path=/a.gif protocol=HTTP/1.0 status=200 bytes=2326 971211336000000000
}
