package sdp

// OffersVideo reports whether a description offers a line of video that is alive. One that cannot be read offers none.
func OffersVideo(body []byte) bool {
	d, err := parse(body)
	if err != nil {
		return false
	}
	for _, name := range d.names() {
		if name.Media == "video" && name.Port.Value != 0 {
			return true
		}
	}
	return false
}
