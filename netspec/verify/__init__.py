"""Verification: does an exported file compute what the network computes? Three gates and a certificate.

graph + weights ──▶ torch, float32 ─────────────────┐
               └──▶ torch, float64 ──┬──────────────┤
file ──▶ onnx.reference, float64 ────┘ semantic     │
    └──▶ onnxruntime ───────────────────────────────┘ rounding
    └──▶ checker, shapes, weights bit for bit         consistency
"""
