package peers

import (
	"net/url"
	"testing"
	"time"
)

// Join opens a room's page and joins by its form, as somebody would; it returns when sound can flow.
func (b *Browser) Join(t testing.TB, g *Gateway, room, password string) {
	t.Helper()
	b.joinAt(t, g.Page(room), password)
}

// Moderate is Join for a moderator, by the link that has the password.
func (b *Browser) Moderate(t testing.TB, g *Gateway, room, password string) {
	t.Helper()
	b.joinAt(t, g.Page(room)+"#moderator="+url.QueryEscape(password), "")
	b.Await(t, `document.querySelector('#moderation').checkVisibility()`, 5*time.Second)
}

func (b *Browser) joinAt(t testing.TB, page, password string) {
	t.Helper()
	b.Open(t, page)
	b.Await(t, `document.querySelector('#name')?.checkVisibility()`, 10*time.Second)
	b.Fill(t, "#name", b.Name)
	b.Await(t, `document.querySelector('#microphone').dataset.state != 'asleep' || document.querySelector('#microphone-on').click() || true`, 5*time.Second)
	b.Await(t, `document.querySelector('#microphone').dataset.state == 'on'`, 10*time.Second)
	if password != "" {
		b.Await(t, `document.querySelector('#password')?.checkVisibility()`, 5*time.Second)
		b.Fill(t, "#password", password)
	}
	b.Click(t, "#join")
	b.AwaitIn(t, 15*time.Second)
}

// AwaitIn waits until the page is in its room and sound can flow.
func (b *Browser) AwaitIn(t testing.TB, within time.Duration) {
	t.Helper()
	b.Await(t, `document.documentElement.dataset.state == 'in' && window.__recorder.connections.some(c => c.connectionState == 'connected')`, within)
}

// Leave presses the page's button.
func (b *Browser) Leave(t testing.TB) {
	t.Helper()
	b.Click(t, "#leave")
	b.Await(t, `document.documentElement.dataset.state == 'ended'`, 5*time.Second)
}

// Close ends the browser before the test's end.
func (b *Browser) Close() { b.driver.close() }

// PersonOnPage is somebody whom the page shows.
type PersonOnPage struct {
	Name  string `json:"name"` // the text of the line
	Phone bool   `json:"phone"`
}

// People returns whom the page shows.
func (b *Browser) People(t testing.TB) (people []PersonOnPage) {
	t.Helper()
	b.Evaluate(t, `[...document.querySelectorAll('#people > li')].map(li => ({ name: li.innerText.trim(), phone: !!li.querySelector('[href="#i-phone"]') }))`, &people)
	return people
}
