package print

import (
	"io"
	"strconv"

	"sluice/schema"
)

// jsonPrinter prints one object a line.
type jsonPrinter struct {
	w       io.Writer
	host    bool
	keys    [][]byte        // of the selected fields: `"name":`
	columns *schema.Columns // nil: the default columns, which depend on the entry's format
	last    *jsonPlan
	plans   map[*schema.Field]*jsonPlan // by the first of the format's fields
	out     []byte
	text    []byte
}

// jsonPlan is the default fields of one format.
type jsonPlan struct {
	first  *schema.Field
	keys   [][]byte
	places []schema.Place
	// method and request are used to find a request line that was not split.
	method, request schema.Place
	parseError      schema.Place
}

// maxPlans bounds the cache; beyond it formats are planned again.
const maxPlans = 1024

func newJSON(w io.Writer, o Options) *jsonPrinter {
	p := &jsonPrinter{w: w, host: o.Host, plans: make(map[*schema.Field]*jsonPlan)}
	if len(o.Fields) > 0 {
		p.keys, p.columns = jsonKeys(o.Fields), schema.NewColumns(o.Fields)
	}
	return p
}

func jsonKeys(names []string) [][]byte {
	keys := make([][]byte, len(names))
	for i, name := range names {
		keys[i] = append(appendJSON(nil, []byte(name)), ':')
	}
	return keys
}

// Print implements [Printer].
func (p *jsonPrinter) Print(e *schema.Entry) error {
	p.out = append(p.out[:0], '{')
	if p.columns != nil {
		for i, place := range p.columns.Of(e.Record) {
			p.value(p.keys[i], e, place)
		}
	} else {
		p.defaults(e)
	}
	p.out[len(p.out)-1] = '}' // in place of the comma after the last value
	p.out = append(p.out, '\n')
	return write(p.w, p.out)
}

// Flush implements [Printer].
func (p *jsonPrinter) Flush() error { return nil }

// Close implements [Printer].
func (p *jsonPrinter) Close() error { return nil }

var (
	requestKey    = []byte(`"request":`)
	parseErrorKey = []byte(`"parse_error":`)
	logbodyKey    = []byte(`"logbody":`)
)

func (p *jsonPrinter) defaults(e *schema.Entry) {
	plan := p.plan(e.Record)
	for i, place := range plan.places {
		p.value(plan.keys[i], e, place)
	}
	if e.Null(plan.method) && !e.Null(plan.request) {
		p.value(requestKey, e, plan.request)
	}
	if !e.Null(plan.parseError) {
		p.value(parseErrorKey, e, plan.parseError)
	}
	p.out = append(appendJSON(append(p.out, logbodyKey...), e.Record.Line), ',')
}

func (p *jsonPrinter) plan(rec *schema.Record) *jsonPlan {
	var first *schema.Field
	if len(rec.Fields) > 0 {
		first = &rec.Fields[0]
	}
	if p.last == nil || p.last.first != first {
		plan := p.plans[first]
		if plan == nil {
			plan = newPlan(rec.Fields, p.host)
			plan.first = first
			if len(p.plans) >= maxPlans {
				clear(p.plans)
			}
			p.plans[first] = plan
		}
		p.last = plan
	}
	return p.last
}

func newPlan(fields []schema.Field, host bool) *jsonPlan {
	columns := schema.AvroFields(fields)
	columns = columns[:len(columns)-2] // parse_error and logbody are printed separately
	if !host {
		columns = columns[1:]
	}
	plan := &jsonPlan{keys: jsonKeys(names(columns)), parseError: schema.Locate(fields, schema.ParseErrorField)}
	for _, f := range columns {
		plan.places = append(plan.places, schema.Locate(fields, f.Name))
	}
	if i := schema.Index(fields, "request"); i >= 0 && fields[i].Derived {
		plan.method, plan.request = schema.Locate(fields, "method"), schema.Locate(fields, "request")
	}
	return plan
}

func (p *jsonPrinter) value(key []byte, e *schema.Entry, place schema.Place) {
	p.out = append(p.out, key...)
	switch {
	case e.Null(place):
		p.out = append(p.out, "null"...)
	case place.Kind == schema.Int:
		p.out = strconv.AppendInt(p.out, e.Num(place), 10)
	default:
		p.out = appendJSON(p.out, e.Text(place, &p.text))
	}
	p.out = append(p.out, ',')
}
