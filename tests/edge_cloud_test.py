"""Goal: a request that must stay on this machine never leaves it, and a route does what it says when its strong side is
away. Method: the real program; a model marked local and one that is not in front of the fake upstream, and one that
nobody listens for."""
import unittest

from gateway_harness import Gateway

CONFIG = """
server: {{address: 127.0.0.1, port: 0, threads: 2, data_dir: "{data}", drain_ms: 3000, log: warn}}
models:
  edge:  {{base_url: "http://127.0.0.1:{port}/v1", id: edge-id, local: true, retries: 0}}
  cloud: {{base_url: "http://127.0.0.1:{port}/v1", id: cloud-id, retries: 0}}
  other: {{base_url: "http://127.0.0.1:{port}/v1", id: other-id, retries: 0}}
  away:  {{base_url: "http://127.0.0.1:9/v1", retries: 0, connect_timeout_ms: 500}}
routes:
  auto:    {{strategy: always_strong, candidates: [edge, cloud], learning: {{enabled: false}}}}
  private: {{strategy: always_strong, candidates: [edge, cloud], local_only: true}}
  clouds:  {{strategy: always_strong, candidates: [other, cloud], learning: {{enabled: false}}}}
  layered: {{strategy: always_strong, candidates: [edge, away], when_reference_unreachable: serve_weak}}
  strict:  {{strategy: always_strong, candidates: [edge, away]}}
"""


class EdgeAndCloud(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(CONFIG)
        cls.addClassCleanup(cls.gateway.__exit__)

    def test_a_local_request_is_served_here_whoever_says_so(self):
        status, headers, _ = self.gateway.chat("hello")
        self.assertEqual((status, headers["x-brevet-model"]), (200, "cloud"))
        for model, more_headers, body in (("auto", {"x-brevet-local-only": "true"}, {}),
                                          ("auto", {}, {"metadata": {"brevet_local_only": True}}),
                                          ("auto", {}, {"metadata": {"brevet_local_only": "true"}}),
                                          ("private", {}, {})):
            status, headers, _ = self.gateway.chat("hello", model, more_headers, **body)
            self.assertEqual((status, headers["x-brevet-model"], headers["x-brevet-reason"]), (200, "edge", "local_only"))

    def test_without_a_local_model_it_is_refused(self):
        local = {"x-brevet-local-only": "true"}
        for model, code in (("clouds", "no_local_model"), ("cloud", "model_not_local")):
            status, _, body = self.gateway.chat("secret", model, local)
            self.assertEqual((status, body["error"]["code"]), (403, code))
            status, _, body = self.gateway.call("POST", "/v1/route", {
                "model": model, "messages": [{"role": "user", "content": "secret"}]}, local)
            self.assertEqual((status, body["error"]["code"]), (403, code))
        status, _, body = self.gateway.chat("secret", metadata={"brevet_local_only": "yes please"})
        self.assertEqual((status, body["error"]["code"], body["error"]["param"]),
                         (400, "bad_value", "metadata.brevet_local_only"))
        self.assertNotIn("secret", str(self.gateway.upstream_log()))

    def test_a_route_says_what_it_does_when_its_strong_side_is_away(self):
        status, _, body = self.gateway.chat("hello", "strict")
        self.assertEqual((status, body["error"]["code"]), (502, "upstream_unreachable"))
        status, headers, _ = self.gateway.chat("hello", "layered")
        self.assertEqual((status, headers["x-brevet-model"], headers["x-brevet-reason"]),
                         (200, "edge", "reference_unreachable"))
        status, _, decision = self.gateway.call("GET", "/v1/decisions/" + headers["x-brevet-decision"])
        self.assertIn("Served by edge because away cannot be reached", decision["reason"]["sentence"])
        status, headers, events = self.gateway.events("hello", "layered")
        self.assertEqual((status, headers["x-brevet-model"], events[-1]), (200, "edge", "[DONE]"))
        status, _, body = self.gateway.chat("hello", "layered", {"x-brevet-force": "reference"})
        self.assertNotEqual(status, 200)
        _, _, metrics = self.gateway.call("GET", "/metrics")
        text = metrics.decode()
        self.assertIn('brevet_reference_unreachable_total{route="layered",outcome="served"} 2', text)
        self.assertIn('brevet_reference_unreachable_total{route="layered",outcome="failed"} 1', text)
        self.assertIn('brevet_reference_unreachable_total{route="strict",outcome="failed"} 1', text)


if __name__ == "__main__":
    unittest.main()
