package parse

import "testing"

func TestAWordThatMayContainTheTextBehindItIsReadInAllWays(t *testing.T) {
	checkCertain(t, []certainCase{
		{`%h:%m %D`, `2001:db8::1:POST 7`, "client=2001:db8::1 method=POST duration_us=7", ""},
		{`%h:%m %D`, `192.0.2.1:POST 7`, "client=192.0.2.1 method=POST duration_us=7", ""},
		{`%f:%h %D`, `a:1:2001:db8::1 7`, "duration_us=7", "byte 0: %f: the line can be read"},
		{`%f:%h %D`, `/a:192.0.2.1 7`, "filename=/a client=192.0.2.1 duration_us=7", ""},
		{`%h-%v %D`, `a-b-c 7`, "duration_us=7", "byte 0: %h: the line can be read"},
		{`%h-%v %D`, `192.0.2.1-b-c 7`, "duration_us=7", "byte 0: %h"}, // 192.0.2.1-b may be a host's name
		{`%h-%v %D`, `2001:db8::1-b-c 7`, "client=2001:db8::1 vhost=b-c duration_us=7", ""},
		{`%{A}i:%X%>s`, `::-200`, "", "byte 0: %{A}i: the line can be read"},
		{`%u %{A}i %t %{B}i %>s`, `joe b @0 @T x 200`, "status=200", "byte 0: %u: the line can be read"},
	})
}

func TestANumberWithAnotherValueRightBehindItIsNull(t *testing.T) {
	checkCertain(t, []certainCase{
		{`%h %D%f`, `192.0.2.1 77`, "client=192.0.2.1", "byte 10: %D: nothing separates it"},
		{`%h %D%f`, `192.0.2.1 7/a`, "client=192.0.2.1", "byte 10: %D: nothing separates it"},
		{`%h %D%b`, `192.0.2.1 77`, "client=192.0.2.1", "byte 10: %D: nothing separates it"},
		{`%h %b%h`, `192.0.2.1 -192.0.2.1`, "client=192.0.2.1", "byte 10: %b: nothing separates it"},
		{`%h %D%X`, `192.0.2.1 7+`, "client=192.0.2.1 duration_us=7 connection=+", ""},
		{`%D%q`, `7?8`, "duration_us=7 query=8", ""},
		{`%D%t`, `7@T`, "duration_us=7 time=0", ""},
	})
}

func TestBlanksBesideATextThatIsNoBlankAreAnError(t *testing.T) {
	checkCertain(t, []certainCase{
		{`"%h %>s`, `" 192.0.2.1 200`, "status=200", "byte 1: %h: the line does not start"},
		{`[%h] %>s`, `[192.0.2.1 ] 200`, "", "%h"},
		{`x=%h %>s]`, `x=192.0.2.1 200 ]`, "client=192.0.2.1", "byte 15: end of the format"},
		{`x=%h %>s %b`, `x=192.0.2.1  200 5`, "client=192.0.2.1 status=200 bytes=5", "byte 11: %h"},
	})
}
