// Package query is what a user may ask of entries: the language of --where ([Parse],
// [Compile]), the flags that are short for it, times as people write them, and questions
// ([Question], [Answer]): how many entries there are, in groups, and what their values
// come to.
//
// An expression is tests joined by and, or, not and parentheses:
//
//	status >= 500 and (path =~ "^/api" or agent contains "curl") and not user is null
//	client in 10.0.0.0/8    status in (404, 5xx, 301-303)    path starts with "/x"
//	method = GET            referer != ""                    time >= 2015-05-17T10:00:00Z
//
// A test is a field and one of: = != < <= > >=, =~ and !~ (a regular expression,
// RE2), in and not in, contains, starts with, is null, is not null. A value that
// has none of the characters ()=!<>~," and no space needs no quotes. Within
// quotes, single or double, \" \' \\ \n \r \t and \xhh stand for one byte; a
// regular expression is taken as it is written. A number or a range without
// quotes compares as numbers where the field's type is not known by its name.
//
// Numbers, times and addresses compare as what they are. A test of a field that
// is null ("-" in the log, or not in the line's format) is false, whatever the
// comparison, except for is null; not turns it round.
//
// An [Answer] is exact while its values are few: [Report] says which columns are not.
// Memory is bounded by [Question.MaxBytes]; groups that do not fit are an error, or, for
// [Question.Frequent], counts that can be too high by a known number.
package query
