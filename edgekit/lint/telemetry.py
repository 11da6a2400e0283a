"""Libraries that report to somebody, and addresses that they report to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from edgekit.lint._artifact import Part
from edgekit.lint._report import Kind
from edgekit.lint._rule import Fault, Rule

ON: tuple[Kind, ...] = ("aar", "apk", "app", "framework", "folder", "bundle")
# Names of telemetry libraries, as they lie in packages.
LIBRARIES = {
    "libmat.so": "Microsoft's 1DS",
    "libmaesdk.so": "Microsoft's 1DS",
    "libappcenter.so": "App Center",
    "libcrashlytics.so": "Crashlytics",
    "libsentry.so": "Sentry",
    "mat.dll": "Microsoft's 1DS",
    "clienttelemetry.dll": "Microsoft's 1DS",
}
CLASSES = {
    "com/microsoft/applications/events/": "Microsoft's 1DS",
    "com/microsoft/appcenter/": "App Center",
    "com/google/firebase/analytics/": "Firebase",
    "io/sentry/": "Sentry",
}
HOSTS = (
    b"events.data.microsoft.com",
    b"vortex.data.microsoft.com",
    b"in.appcenter.ms",
    b"app-measurement.com",
    b"crashlyticsreports-pa.googleapis.com",
    b"ingest.sentry.io",
    b"api.mixpanel.com",
    b"amplitude.com/2/httpapi",
)
_PIECE = 4 * 2**20  # bytes looked at together


def _libraries(part: Part) -> Iterator[Fault]:
    for path in part.files.entries:
        whose = LIBRARIES.get(path.rpartition("/")[2].lower())
        if whose:
            size = part.files.entries[path].size / 1e6
            yield Fault(path, f"it is {whose} telemetry, {size:.1f} MB")
    for path, jar in part.jars.items():
        for folder, whose in CLASSES.items():
            if any(f"{each}/".startswith(folder) for each in jar.folders):
                yield Fault(path, f"it has classes of {whose} telemetry, {folder}")


def _hosts(part: Part) -> Iterator[Fault]:
    for path in sorted({*part.elves, *part.slices, *part.programs}):
        for host in part.scan(path, named_hosts) or ():
            yield Fault(path, f"it has the address {host.decode()} in it")


def named_hosts(stream: IO[bytes]) -> list[bytes]:
    """Those of HOSTS that stand in a file."""
    names: set[bytes] = set()
    last = b""
    while piece := stream.read(_PIECE):
        text = last + piece
        names |= {host for host in HOSTS if host not in names and host in text}
        last = piece[-max(map(len, HOSTS)) :]
    return sorted(names)


RULES = (
    Rule(
        "telemetry-library",
        "warning",
        "a library that reports what an app does",
        "build the engine without it; else declare what it sends in Play's data safety form and Apple's privacy labels",
        "https://support.google.com/googleplay/android-developer/answer/10787469",
        ON,
        _libraries,
    ),
    Rule(
        "telemetry-address",
        "warning",
        "code that names a server for telemetry",
        "switch it off where the engine can (ONNX Runtime: DisableTelemetryEvents), or declare what it sends",
        "https://developer.apple.com/app-store/app-privacy-details/",
        ON,
        _hosts,
    ),
)
