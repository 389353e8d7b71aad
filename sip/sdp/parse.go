package sdp

import pion "github.com/pion/sdp/v3"

// description is a peer's description, or one of ours, as far as offer and answer need it.
type description struct {
	pion.SessionDescription
	userName string     // of o=
	mids     []string   // of the m-lines
	bundles  [][]string // as of a cleaner
}

// parse reads a description. The media descriptions that it returns carry the m-lines as sent; those that we cannot
// carry have no attributes.
func parse(body []byte) (*description, error) {
	c, err := clean(body)
	if err != nil {
		return nil, err
	}
	d := &description{userName: c.userName, mids: c.mids, bundles: c.bundles}
	if err := d.UnmarshalString(c.text()); err != nil {
		return nil, refuse(ErrSyntax, "%s", printable(err.Error(), 60))
	}
	if len(d.MediaDescriptions) != len(c.names) {
		return nil, refuse(ErrSyntax, "its m-lines cannot be told apart")
	}
	for i, name := range c.names {
		d.MediaDescriptions[i].MediaName = name
	}
	return d, nil
}

// names returns the m-lines in their order.
func (d *description) names() []pion.MediaName {
	names := make([]pion.MediaName, len(d.MediaDescriptions))
	for i, m := range d.MediaDescriptions {
		names[i] = m.MediaName
	}
	return names
}
