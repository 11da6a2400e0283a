"""ONNX Runtime 1.29's headers and mobile binaries (150 MB), of the npm package com.github.asus4.onnxruntime (MIT)."""

from __future__ import annotations

from pathlib import Path

from tests.peers.npm_package import Package

PACKAGE = Package(
    "com.github.asus4.onnxruntime@0.4.9", "e59788788818fdde1b2e522e766a21ba0f7d8391de55737abf81e32cc801785d"
)
HEADERS = "package/Plugins/iOS~/onnxruntime.xcframework/ios-arm64/onnxruntime.framework/Headers"


def headers() -> Path:
    """The folder of onnxruntime_c_api.h, fetched once."""
    return folder(HEADERS)


def folder(inside: str) -> Path:
    """A folder of the package, fetched once."""
    return PACKAGE.folder(inside)
