// Package query is the language for selecting and aggregating entries: the expressions of --where
// ([Parse], [Compile]), the filters of other flags ([Status], [Client]), times in the forms that
// people write ([ParseTime]), and aggregations ([Question], [Answer]; [Columns] for batches of
// columns).
//
// An expression is tests joined by and, or, not and parentheses:
//
//	status >= 500 and (path =~ "^/api" or agent contains "curl") and not user is null
//	client in 10.0.0.0/8    status in (404, 5xx, 301-303)    path starts with "/x"
//	method = GET            referer != ""                    time >= 2015-05-17T10:00:00Z
//
// A test is a field and one of: = != < <= > >=, =~ and !~ (a regular expression, RE2), in and not
// in, contains, starts with, is null, is not null. A value without the characters ()=!<>~," and
// without spaces needs no quotes. In quotes, single or double, \" \' \\ \n \r \t and \xhh are one
// byte; a regular expression is not unescaped. A number or a range without quotes is compared as
// numbers if the field's type is not known by its name.
//
// Numbers, times and addresses are compared by value. A test of a field that is null ("-" in the
// log, or not in the line's format) is false for all comparisons except is null; not negates it.
//
// An [Answer] is exact for few values: [Report] has which columns are not. Memory is bounded by
// [Question.MaxBytes]; groups beyond that are an error, or, for [Question.Frequent], counts that
// can be too high by a known number.
package query
