package sip

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Transfers (RFC 3515): the peer of a call asks us by REFER to call somebody, and we tell it by NOTIFY how that goes,
// in message/sipfrag, one NOTIFY at a time. REFER comes inside a call only. Everything in this file is called on the
// dialog's owner, but for OnRefer and parseReferTo.

// Referral is what a REFER asks for.
type Referral struct {
	To       string    // whom to call, for Dial
	Target   URI       // the same, in parts
	Replaces *Replaces // the call of that peer's that ours is to take the place of (an attended transfer); nil: none
	By       string    // Referred-By (RFC 3892), as it came; "" if it did not
}

// Transfer does what a REFER asks for. It runs on a goroutine of its own, that Serve waits for, and may go on when the
// dialog has ended. progress tells the peer how it goes: a status of 200 and more is the last that it is told. Where
// there was none, what is returned is: nil is 200, an error what RefusalFor makes of it.
type Transfer func(ctx context.Context, progress func(code int, reason string)) error

// OnRefer sets who decides about a REFER: f returns what does it, or an error that refuses it as RefusalFor says. f must
// not block. Nil is nobody: calls are not transferred (603), and the peer is not told that they could be.
func (d *Dialog) OnRefer(f func(Referral) (Transfer, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.onRefer = f
}

// refers returns who decides, or nil.
func (d *Dialog) refers() func(Referral) (Transfer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.onRefer
}

// allowed lists the methods that have a meaning in this dialog.
func (d *Dialog) allowed() sip.Header {
	if d.refers() == nil {
		return sip.NewHeader("Allow", allow)
	}
	return sip.NewHeader("Allow", allow+", REFER")
}

// supported lists the extensions of this dialog.
func (d *Dialog) supported() sip.Header {
	if d.refers() == nil {
		return sip.NewHeader("Supported", supportedByUs)
	}
	return sip.NewHeader("Supported", supportedByUs+", "+supportedInTransfers)
}

// supportedInTransfers are the extensions that a peer may require too (RFC 3891, RFC 4488).
const supportedInTransfers = "replaces, norefersub"

// referral is a REFER of the peer that we have accepted.
type referral struct {
	id      uint32 // the CSeq number of the REFER, where it is not the first of its dialog
	quiet   bool   // nobody wants to know (RFC 4488), or listens any more
	news    status // what the peer has not been told yet; zero if there is nothing
	last    bool   // news is final
	telling bool   // a NOTIFY is on its way
}

// status is a SIP status.
type status struct {
	code   int
	reason string
}

// What is wrong with a REFER.
var (
	errNoTransfers   error = &declined{sip.StatusGlobalDecline, "calls are not transferred here"}
	errNotUpYet      error = &declined{sip.StatusGlobalDecline, "a call that is not answered is not transferred"}
	errOneReferTo    error = &declined{sip.StatusBadRequest, "one Refer-To is wanted"}
	errOnlyCalls     error = &declined{sip.StatusGlobalDecline, "only calls (INVITE) are made for others"}
	errReferToScheme error = &declined{statusUnsupportedScheme, "only sip and sips are called"}
)

// refer takes a REFER.
func (d *Dialog) refer(in inbound) {
	switch {
	case d.state == leaving || d.state == ending || d.state == givingUp || d.state == cancelling:
		d.stranger(in)
		return
	case d.referral != nil:
		_ = d.respond(in, sip.StatusInternalServerError, "One Transfer at a Time", retryAfter(glareRetry))
		return
	}
	do, err := d.decide(in.req)
	if err != nil {
		_ = d.refuse(in, RefusalFor(err))
		return
	}
	d.referrals++
	r := &referral{quiet: unsubscribed(in.req)}
	if d.referrals > 1 {
		r.id = in.req.CSeq().SeqNo
	}
	accepted := []sip.Header{d.path.contact()}
	if r.quiet {
		accepted = append(accepted, sip.NewHeader("Refer-Sub", "false"))
	}
	_ = d.respond(in, sip.StatusAccepted, phrase(sip.StatusAccepted), accepted...)
	d.referral = r
	d.referred(r, status{sip.StatusTrying, "Trying"})
	ctx := context.WithoutCancel(d.ctx)
	tell := func(code int, reason string) { d.post(func() { d.referred(r, status{code, reason}) }) }
	if !d.wire.spawn("transfer", func() { d.transfer(ctx, do, tell) }) {
		d.referred(r, status{sip.StatusServiceUnavailable, phrase(sip.StatusServiceUnavailable)})
	}
}

// decide asks whether a REFER is to be done, and by whom.
func (d *Dialog) decide(req *sip.Request) (Transfer, error) {
	f := d.refers()
	if f == nil {
		return nil, errNoTransfers
	}
	if d.state != confirmed && d.state != answered {
		return nil, errNotUpYet
	}
	v := headerValues(req, "refer-to")
	if len(v) != 1 { // RFC 3515 section 2.4.2
		return nil, errOneReferTo
	}
	r, err := parseReferTo(v[0])
	if err != nil {
		return nil, err
	}
	if by := headerValues(req, "referred-by"); len(by) == 1 && printable(by[0]) {
		r.By = by[0]
	}
	return f(r)
}

// unsubscribed reports whether the peer does not want to be told how the transfer goes (RFC 4488 section 4).
func unsubscribed(req *sip.Request) bool {
	v := headerValues(req, "refer-sub")
	if len(v) == 0 {
		return false
	}
	wish, _, _ := strings.Cut(v[0], ";")
	return strings.EqualFold(strings.TrimSpace(wish), "false")
}

// transfer does it, and tells how it has ended. It is not called on the owner.
func (d *Dialog) transfer(ctx context.Context, do Transfer, tell func(code int, reason string)) {
	end := status{sip.StatusInternalServerError, phrase(sip.StatusInternalServerError)} // a panic's
	defer func() { tell(end.code, end.reason) }()
	if err := do(ctx, tell); err != nil {
		end.code, end.reason = RefusalFor(err).status()
		return
	}
	end = status{sip.StatusOK, "OK"}
}

// referred notes news of a transfer, for the peer.
func (d *Dialog) referred(r *referral, s status) {
	if r.last || d.referral != r {
		return
	}
	r.news, r.last = s, s.code >= 200
	d.notify(r)
}

// notify tells the peer the news, the latest only, unless it is being told what was before.
func (d *Dialog) notify(r *referral) {
	if r.telling || r.news.code == 0 {
		return
	}
	if r.last { // another transfer may begin
		d.referral = nil
	}
	if r.quiet || d.state != confirmed && d.state != answered {
		r.news = status{}
		return
	}
	req := d.request(sip.NOTIFY)
	event, subscription := "refer", "active;expires=180"
	if r.id != 0 {
		event += ";id=" + strconv.FormatUint(uint64(r.id), 10)
	}
	if r.last {
		subscription = "terminated;reason=noresource"
	}
	req.AppendHeader(sip.NewHeader("Event", event))
	req.AppendHeader(sip.NewHeader("Subscription-State", subscription))
	req.AppendHeader(sip.NewHeader("Content-Type", "message/sipfrag;version=2.0"))
	req.SetBody(sipfrag(r.news))
	r.news, r.telling = status{}, true
	p := d.path
	d.wire.spawn("NOTIFY", func() {
		res, err := d.wire.roundTrip(p, req)
		d.post(func() {
			r.telling = false
			r.quiet = r.quiet || err != nil || res.StatusCode == sip.StatusCallTransactionDoesNotExists
			d.notify(r)
		})
	})
}

// sipfrag is a status as the body of a NOTIFY (RFC 3420): a status line.
func sipfrag(s status) []byte {
	return fmt.Appendf(nil, "SIP/2.0 %d %s\r\n", s.code, oneLine(s.reason))
}

// parseReferTo reads a Refer-To header: one address, whose URI may have a method and headers (RFC 3261 section 19.1.1).
// Of the headers Replaces is taken; others say what we would not say, and are left out (section 19.1.5). An error carries
// the answer to the REFER.
func parseReferTo(v string) (Referral, error) {
	text, err := addrSpec(v)
	if err != nil {
		return Referral{}, err
	}
	text, headers := cutHeaders(text)
	if scheme, _, _ := strings.Cut(text, ":"); !strings.EqualFold(scheme, "sip") && !strings.EqualFold(scheme, "sips") {
		return Referral{}, errReferToScheme
	}
	target, err := parseTarget(text)
	if err != nil {
		return Referral{}, &declined{sip.StatusBadRequest, "Refer-To is no address that can be called"}
	}
	uri := target.uri
	if method, ok := uri.UriParams.Get("method"); ok {
		if !strings.EqualFold(method, string(sip.INVITE)) {
			return Referral{}, errOnlyCalls
		}
		uri.UriParams = uri.UriParams.Remove("method")
	}
	r := Referral{To: uri.String(), Target: uriParts(&uri)}
	if again, err := parseTarget(r.To); err != nil || again.uri.Host != uri.Host || again.uri.User != uri.User {
		return Referral{}, &declined{sip.StatusBadRequest, "Refer-To is no address that can be called"}
	}
	for h := range strings.SplitSeq(headers, "&") {
		name, value, _ := strings.Cut(h, "=")
		if !strings.EqualFold(name, "replaces") {
			continue
		}
		value, err := url.PathUnescape(value)
		if err != nil || r.Replaces != nil {
			return Referral{}, &declined{sip.StatusBadRequest, "Replaces in Refer-To can not be read"}
		}
		replaces, err := parseReplaces(value)
		if err != nil {
			return Referral{}, &declined{sip.StatusBadRequest, "Replaces in Refer-To can not be read"}
		}
		r.Replaces = &replaces
	}
	return r, nil
}

var errAddress error = &declined{sip.StatusBadRequest, "Refer-To is no address"}

// addrSpec returns the URI of a name-addr or addr-spec; the parameters of a header end one without brackets.
func addrSpec(v string) (string, error) {
	v = strings.TrimSpace(v)
	if strings.HasPrefix(v, `"`) {
		_, inside, ok := cutQuoted(v)
		if !ok {
			return "", errAddress
		}
		_, after, ok := strings.Cut(v[1:], `"`)
		if !ok || strings.Contains(inside, `"`) { // whoever writes that is not understood
			return "", errAddress
		}
		v = after
	}
	before, inside, bracket := strings.Cut(v, "<")
	if !bracket {
		uri, _, _ := strings.Cut(v, ";")
		return uri, nil
	}
	uri, _, closed := strings.Cut(inside, ">")
	if !closed || strings.ContainsAny(before, ":,") {
		return "", errAddress
	}
	return uri, nil
}

// cutHeaders cuts the headers off a URI: what is behind the first question mark after the user part, which may hold one.
func cutHeaders(uri string) (bare, headers string) {
	user := strings.IndexByte(uri, '@') + 1
	i := strings.IndexByte(uri[user:], '?')
	if i < 0 {
		return uri, ""
	}
	return uri[:user+i], uri[user+i+1:]
}
