package meet

import (
	"context"
	"net/http"

	"passerelle/rooms"
)

// pinCode is a request to open the meeting of a PIN.
type pinCode struct {
	PIN string `json:"pin_code"`
}

// openByPIN has Meet make the dispatch rule of the meeting that has this PIN (its endpoint is called roomkit/join, and
// came with Meet 1.25); rooms.ErrNoRoom if there is none.
func (r *Reception) openByPIN(ctx context.Context, pin string) error {
	answer, err := r.askRoomkit(ctx, pin)
	if err != nil {
		return err
	}
	switch {
	case answer.status == http.StatusOK:
		return nil
	case answer.status == http.StatusNotFound:
		return rooms.ErrNoRoom // no such PIN; or no such endpoint, which Check tells
	case answer.status == http.StatusBadRequest && answer.json:
		return rooms.ErrNoRoom // not the length of its PINs
	}
	return roomkitError("ask Meet for the meeting of a PIN", answer)
}

// checkRoomkit finds out whether PINs can be asked for. An empty one is refused without being looked for.
func (r *Reception) checkRoomkit(ctx context.Context) error {
	if r.meet == nil || r.token == "" {
		return nil
	}
	answer, err := r.askRoomkit(ctx, "")
	if err != nil {
		return err
	}
	if answer.status == http.StatusBadRequest && answer.json {
		return nil
	}
	return roomkitError("see whether Meet can be asked about PINs", answer)
}

func (r *Reception) askRoomkit(ctx context.Context, pin string) (*reply, error) {
	answer, err := r.meet.post(ctx, pinCode{pin}, r.token, nil, "roomkit", "join")
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &Error{Act: "reach Meet at " + r.meet.base.Host, Err: err, Remedy: reachRemedy}
	}
	return answer, nil
}

// reachRemedy is what to do where Meet does not answer at all.
const reachRemedy = "see that meet.url leads to Meet, and can be reached from here"

// roomkitError says what an administrator can do about an answer of roomkit's.
func roomkitError(act string, answer *reply) error {
	remedy := proxyRemedy(answer)
	switch answer.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		remedy = "meet.roomkit_token must be the ROOMKIT_SERVER_TO_SERVER_API_TOKEN of Meet"
	case http.StatusNotFound:
		remedy = "Meet must be 1.25 or later with ROOMKIT_ENABLED=True, and meet.url lead to it"
	case http.StatusTooManyRequests:
		remedy = "Meet is asked about more PINs than its ROOMKIT_JOIN_THROTTLE_RATES allow"
	}
	return &Error{Act: act, Err: &StatusError{Code: answer.status, Location: answer.location}, Remedy: remedy}
}

// proxyRemedy is about answers that any request to Meet can get.
func proxyRemedy(answer *reply) string {
	switch {
	case answer.status >= 300 && answer.status < 400:
		return "redirects are not followed: meet.url must be the address that Meet has itself, https as a rule"
	case answer.status == http.StatusBadRequest && !answer.json:
		return "the host of meet.url must be one of Meet's DJANGO_ALLOWED_HOSTS"
	case answer.status >= 500:
		return "see Meet's log, and whether its own LiveKit and Redis answer"
	}
	return "see that meet.url leads to Meet, and what stands in front of it"
}
