package sample

import "fmt"

var users = []string{"alice", "bob", "deploy", "m.weber", "svc-backup"}

var suffixes = []string{"png", "jpg", "webp", "svg", "css"}

var words = []string{
	"presentations", "articles", "blog", "projects", "downloads", "manual", "shop", "kitchen", "garden", "river",
	"harbour", "weather", "maps", "history", "gallery", "events", "tickets", "account", "search", "support",
	"monitoring", "reports", "archive", "network", "storage", "printing", "painting", "music", "travel", "recipes",
}

// statuses are chosen with equal probability; the 32 entries give the distribution.
var statuses = []string{
	"200", "200", "200", "200", "200", "200", "200", "200", "200", "200", "200", "200", "200", "200", "200", "200",
	"200", "200", "200", "200", "200", "200", "200", "200", "200", "200", "304", "304", "404", "404", "301", "500",
}

// referers returns referers, the most frequent first.
func referers() []string {
	list := []string{
		"-", "https://www.example.com/", "-", "https://www.example.com/shop/", "-", "https://search.example.net/", "-",
		"https://www.example.com/blog/index.html", "https://www.example.com/articles/", "-",
	}
	for i, w := range words {
		list = append(list,
			fmt.Sprintf("https://www.example.com/%s/", w),
			fmt.Sprintf("https://www.example.com/%s/%s-%d/?page=%d", w, words[(i*7+3)%len(words)], 2012+i%14, i),
			fmt.Sprintf("https://search.example.net/url?sa=t&q=%s+%s", w, words[(i*11+5)%len(words)]))
	}
	return list
}

// agents returns about 200 user agents, the most frequent first.
func agents() []string {
	var list []string
	for i := range 20 {
		list = append(list,
			fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", 139-i),
			fmt.Sprintf("Mozilla/5.0 (iPhone; CPU iPhone OS %d_%d like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/%d.0 Mobile/15E148 Safari/604.1", 18-i/4, i%4, 18-i/4),
			fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/%d.0", 141-i, 141-i),
			fmt.Sprintf("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_%d) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/%d.%d Safari/605.1.15", i%8, 18-i/5, i%5),
			fmt.Sprintf("Mozilla/5.0 (Linux; Android %d; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Mobile Safari/537.36", 15-i/4, 139-i),
			fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36 Edg/%d.0.%d.%d", 138-i, 138-i, 3000+i*7, 50+i),
			fmt.Sprintf("Mozilla/5.0 (compatible; samplebot/2.%d; +https://bot.example.org/about.html)", i),
			fmt.Sprintf("Mozilla/5.0 (Linux; Android 10) Chrome/%d.0.0.0 Mobile (compatible; samplebot/2.1)", 139-i),
			fmt.Sprintf("curl/8.%d.1", i),
			fmt.Sprintf("python-requests/2.%d.0", 32-i))
	}
	return list
}
