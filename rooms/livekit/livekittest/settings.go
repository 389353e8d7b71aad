package livekittest

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// settings returns the configuration file of a server.
func settings(o Options, http, udp, tcp uint16) ([]byte, error) {
	rtc := map[string]any{
		"udp_port": int(udp), "tcp_port": int(tcp),
		"use_external_ip": false, "node_ip": host, "enable_loopback_candidate": true,
		"ips": map[string]any{"includes": []string{host + "/32"}},
	}
	if o.Relay {
		// The server calls itself by the relay's address, and as an ICE lite agent never speaks first: nobody
		// finds a way around the relay. TCP would be one.
		rtc["node_ip"], rtc["use_ice_lite"], rtc["tcp_port"] = relayHost, true, 0
	}
	all := map[string]any{
		"port": int(http), "bind_addresses": []string{host},
		"rtc":  rtc,
		"keys": map[string]any{testKey: testSecret},
		// Moderators here unmute as well; rooms end soon after the last has left, as tests have no time.
		"room":    map[string]any{"enable_remote_unmute": true, "departure_timeout": 2},
		"logging": map[string]any{"level": "info", "pion_level": "error"},
		"limit":   map[string]any{"num_tracks": -1},
	}
	if o.Redis != nil {
		all["redis"] = map[string]any{"address": o.Redis.Addr}
	}
	if len(o.Webhooks) > 0 {
		all["webhook"] = map[string]any{"api_key": testKey, "urls": o.Webhooks}
	}
	var extra map[string]any
	if err := yaml.Unmarshal([]byte(o.ExtraYAML), &extra); err != nil {
		return nil, fmt.Errorf("read the extra configuration of LiveKit: %w", err)
	}
	lay(all, extra)
	text, err := yaml.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("write the configuration of LiveKit: %w", err)
	}
	return text, nil
}

// lay lays one mapping over another: what is a mapping in both is laid likewise, all else replaced.
func lay(under, over map[string]any) {
	for key, value := range over {
		above, isMap := value.(map[string]any)
		below, wasMap := under[key].(map[string]any)
		if isMap && wasMap {
			lay(below, above)
			continue
		}
		under[key] = value
	}
}
