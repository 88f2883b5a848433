package parse

import "testing"

func TestAFormatMayBeCopiedFromTheConfiguration(t *testing.T) {
	const combined = `%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"`
	const escaped = `%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"`
	for text, want := range map[string]string{
		`LogFormat "` + escaped + `" combined`:                              combined,
		`  logformat   "` + escaped + `"`:                                   combined,
		`LogFormat '` + combined + `' mine`:                                 combined,
		`LogFormat combined`:                                                "combined",
		`CustomLog /var/log/access.log "` + escaped + `"`:                   combined,
		`CustomLog "/var/log/a b.log" combined env=!quiet`:                  "combined",
		`GlobalLog "|/usr/bin/rotatelogs -l \"x\" 86400" "` + escaped + `"`: combined,
		`"` + escaped + `"`:                                                 combined,
		`"` + escaped + `" combined`:                                        combined,
		`"%h %l %u"`:                                                        `%h %l %u`,
		`'` + combined + `'`:                                                combined,
		// A backslash in front of a backslash is one, as httpd reads it.
		`LogFormat "%h\\t%u" x`: `%h\t%u`,

		// Texts that are formats already.
		combined:                        combined,
		escaped:                         escaped,
		"combined":                      "combined",
		"auto":                          "auto",
		" combined\n":                   "combined",
		`"combined"`:                    "combined",
		`'common'`:                      "common",
		`"auto"`:                        "auto",
		`"%h"`:                          `"%h"`,
		"":                              "",
		`"%r"`:                          `"%r"`,
		`"%h" "%r"`:                     `"%h" "%r"`,
		`"%h" %l "%r"`:                  `"%h" %l "%r"`,
		`"%h %l %u %t "%r" %>s %b`:      `"%h %l %u %t "%r" %>s %b`,
		`"%{Referer}i" -> "%U"`:         `"%{Referer}i" -> "%U"`,
		`LogFormat`:                     `LogFormat`,
		`LogFormat "%h`:                 `LogFormat "%h`,
		`CustomLog /var/log/access.log`: `CustomLog /var/log/access.log`,
	} {
		if got := FromConfig(text); got != want {
			t.Errorf("%s:\n%s, want\n%s", text, got, want)
		}
	}
}

func TestAnIncompleteDirectiveIsNoFormat(t *testing.T) {
	for text, want := range map[string]bool{
		`LogFormat "%h`: true, `customlog /var/log/a.log`: true, `# LogFormat "%h" x`: true, "LogFormat": true,
		`#%h %t`: false, `LogFormats %h`: false, "%h": false, `LogFormat "%h" x`: false, "": false,
	} {
		if got := IsDirective(FromConfig(text)); got != want {
			t.Errorf("%s: %t, want %t", text, got, want)
		}
	}
}
