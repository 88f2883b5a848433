package query

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Report returns the current answer. The error wraps errTooManySpans.
func (a *Answer) Report() (Report, error) {
	r := Report{Bar: -1, Approximate: a.groups.floor > 0, Floor: a.groups.floor}
	r.Columns, r.Keys = a.question.columns()
	if len(a.keys) == 0 && a.groups.n == 0 {
		if _, err := a.group(nil); err != nil { // no entries are an answer, too
			return r, err
		}
	}
	if len(a.keys) > 0 {
		r.Bar = r.Keys
		if at := slices.Index(r.Columns, a.question.Order.Column); at > r.Keys {
			r.Bar = at
		}
	}
	if r.Approximate {
		r.Columns = slices.Insert(r.Columns, r.Keys+1, excessColumn)
	}
	chosen := a.chosen(r.Columns, r.Keys)
	if a.question.Every != 0 && len(a.keys) == 1 {
		var err error
		if chosen, err = a.fill(chosen); err != nil {
			return r, err
		}
	}
	for _, g := range chosen {
		r.Rows = append(r.Rows, a.row(g, &r))
	}
	return r, nil
}

// chosen returns the groups of the report, in its order.
func (a *Answer) chosen(columns []string, keys int) []*group {
	type ranked struct {
		*group
		value Value
	}
	order := a.order(columns, keys)
	descending := 1
	if order.Descending {
		descending = -1
	}
	column := slices.Index(columns, order.Column)
	compare := func(x, y ranked) int {
		if c := descending * x.value.compare(y.value); c != 0 {
			return c
		}
		if c := cmp.Compare(y.count, x.count); c != 0 {
			return c
		}
		return a.compareKeys(x.group, y.group)
	}
	limit := a.question.Limit
	var list []ranked
	cut := false
	byCount := column == keys && order.Descending
	for g := range a.groups.all {
		if cut && byCount && g.count < list[limit-1].count {
			continue
		}
		r := ranked{g, a.value(g, column)}
		if cut && compare(r, list[limit-1]) > 0 { // so many come before it
			continue
		}
		list = append(list, r)
		if limit > 0 && len(list) >= 2*limit+1000 {
			slices.SortFunc(list, compare)
			list, cut = list[:limit], true
		}
	}
	slices.SortFunc(list, compare)
	if limit > 0 {
		list = list[:min(limit, len(list))]
	}
	groups := make([]*group, len(list))
	for i := range list {
		groups[i] = list[i].group
	}
	return groups
}

// order is the question's order, or the default for its groups.
func (a *Answer) order(columns []string, keys int) Order {
	switch {
	case a.question.Order.Column != "":
		return a.question.Order
	case keys > 0 && a.keys[0].span != nil:
		return Order{Column: columns[0]}
	}
	return Order{Column: countColumn, Descending: true}
}

func (a *Answer) compareKeys(x, y *group) int {
	for i := range a.keys {
		if c := a.keyValue(x, i).compare(a.keyValue(y, i)); c != 0 {
			return c
		}
	}
	return 0
}

// rawKey is key i of a group, as stored in the group's key.
func rawKey(g *group, i int) (value string, null bool) {
	rest := g.key
	for ; i > 0; i-- {
		_, _, rest = cutKey(rest)
	}
	value, null, _ = cutKey(rest)
	return value, null
}

// keyValue is key i of a group; for a span, its number.
func (a *Answer) keyValue(g *group, i int) Value {
	text, null := rawKey(g, i)
	if null {
		return Value{Null: true}
	}
	if a.keys[i].span != nil {
		if text[0] == spanValue {
			return intValue(spanNumber(text))
		}
		text = text[1:]
	}
	if g.text>>i&1 == 0 {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return intValue(n)
		}
	}
	return Value{Text: text}
}

// value returns the value of a group in a column of the report.
func (a *Answer) value(g *group, column int) Value {
	keys := len(a.keys)
	if column < keys {
		return a.keyValue(g, column)
	}
	if column -= keys; column == 0 {
		return intValue(g.count)
	}
	column--
	if a.groups.floor > 0 {
		if column == 0 {
			return intValue(g.excess)
		}
		column--
	}
	v, _ := a.measureValue(g, a.question.Measures[column])
	return v
}

// measureValue returns a group's value of a measure, and its relative error, 0 if it is exact.
func (a *Answer) measureValue(g *group, m Measure) (v Value, relativeError float64) {
	i := slices.IndexFunc(a.measured, func(f measuredField) bool { return f.name == m.Field })
	known := &g.measured[i]
	switch m.Operation {
	case Sum:
		return known.numbers.sum(), 0
	case Avg:
		return known.numbers.avg(), 0
	case Distinct:
		n, estimated := known.distinct.count()
		if estimated {
			relativeError = DistinctError
		}
		return intValue(n), relativeError
	case Quantile:
		n, ok := known.values.quantile(m.Q)
		if !ok {
			return Value{Null: true}, 0
		}
		if known.values.counting {
			relativeError = quantileError
		}
		return intValue(n), relativeError
	}
	if known.numbers.n == 0 {
		return Value{Null: true}, 0
	}
	n := known.numbers.min
	if m.Operation == Max {
		n = known.numbers.max
	}
	return intValue(n), 0
}

// row returns the row of a group.
func (a *Answer) row(g *group, r *Report) Row {
	row := make(Row, len(r.Columns))
	for i := range row {
		row[i] = a.value(g, i).written()
		if i < len(a.keys) {
			a.showSpan(&row[i], g, i)
		}
		if measure := i - (len(r.Columns) - len(a.question.Measures)); measure >= 0 {
			m := a.question.Measures[measure]
			v, relativeError := a.measureValue(g, m)
			if v.Number && (m.Operation == Min || m.Operation == Max) && a.isTime(m.Field) {
				row[i].Text, row[i].Number = a.timeText(int64(v.low)), false
			}
			if relativeError > 0 {
				if r.Estimated == nil {
					r.Estimated = map[string]float64{}
				}
				r.Estimated[r.Columns[i]] = relativeError
			}
		}
	}
	return row
}

// showSpan replaces a span's number by the time of its start.
func (a *Answer) showSpan(v *Value, g *group, i int) {
	k := &a.keys[i]
	if text, null := rawKey(g, i); k.span == nil || null || text[0] != spanValue {
		return
	}
	start, _ := k.span.start(int64(v.low))
	layout := time.RFC3339
	if k.day {
		layout = time.DateOnly
	}
	v.Text, v.Number = start.Format(layout), false
}

func (a *Answer) isTime(field string) bool {
	return slices.ContainsFunc(a.measured, func(f measuredField) bool { return f.name == field && f.time })
}

// timeText formats a time for the report.
func (a *Answer) timeText(nanos int64) string {
	zone := a.question.Zone
	if zone == nil {
		zone = time.UTC
	}
	return time.Unix(0, nanos).In(zone).Format(time.RFC3339Nano)
}

// fill adds the empty spans between the first and the last of a list in time order; a group without
// a time stays first.
func (a *Answer) fill(list []*group) ([]*group, error) {
	if a.question.Order.Column != "" || a.question.Limit > 0 {
		return list, nil
	}
	span := a.keys[0].span
	var filled []*group
	next, started := int64(0), false
	for _, g := range list {
		v := a.keyValue(g, 0)
		if v.Null {
			filled = append(filled, g)
			continue
		}
		number := int64(v.low)
		if started && number-next > maxSpans-int64(len(filled)) {
			return nil, a.tooManySpans(list)
		}
		for ; started && next < number; next++ {
			if _, shown := span.start(next); shown {
				empty := &group{key: string(appendSpanNumber(nil, next)), measured: make([]measured, len(a.measured))}
				for i := range empty.measured {
					empty.measured[i] = measured{&numbers{}, &values{}, &distinct{}}
				}
				filled = append(filled, empty)
			}
		}
		filled = append(filled, g)
		next, started = number+1, true
	}
	if len(filled) > maxSpans {
		return nil, a.tooManySpans(list)
	}
	return filled, nil
}

func (a *Answer) tooManySpans(list []*group) error {
	first, last := a.keyValue(list[0], 0), a.keyValue(list[len(list)-1], 0)
	if first.Null && len(list) > 1 {
		first = a.keyValue(list[1], 0)
	}
	start, _ := a.keys[0].span.start(int64(first.low))
	end, _ := a.keys[0].span.start(int64(last.low))
	return fmt.Errorf("%w: more than %d of %v from %s to %s: use wider ones, or a shorter time (--from, --to)", errTooManySpans,
		maxSpans, time.Duration(a.keys[0].span.width), start.Format(time.DateOnly), end.Format(time.DateOnly))
}
