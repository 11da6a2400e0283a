"""What an AndroidManifest.xml brings into an app, or into the store."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.lint._artifact import Part
from edgekit.lint._rule import Fault, Rule

PATH = "AndroidManifest.xml"
MERGING = "https://developer.android.com/build/manage-manifests#merge-manifests"
# Play's floor for new apps and updates, from 31 August 2026.
TARGET_SDK = 36


def _permissions(part: Part) -> Iterator[Fault]:
    for name in part.manifest.permissions if part.manifest is not None else ():
        yield Fault(PATH, f"every app that takes it asks for {name}")


def _providers(part: Part) -> Iterator[Fault]:
    for provider in part.manifest.providers if part.manifest is not None else ():
        yield Fault(PATH, f"every app that takes it starts {provider.name} before its own code")


def _fixed_authority(part: Part) -> Iterator[Fault]:
    for provider in part.manifest.providers if part.manifest is not None else ():
        if provider.authorities and "${applicationId}" not in provider.authorities:
            yield Fault(PATH, f"{provider.name} has the authority {provider.authorities} in every app")


def _no_min_sdk(part: Part) -> Iterator[Fault]:
    if part.manifest is not None and part.manifest.min_sdk is None:
        yield Fault(PATH, "it names no minSdkVersion, which then is 1")


def _old_target(part: Part) -> Iterator[Fault]:
    if part.manifest is not None:
        level = part.manifest.target_sdk or part.manifest.min_sdk or 1
        if level < TARGET_SDK:
            yield Fault(PATH, f"its targetSdkVersion is {level}, Play asks for {TARGET_SDK}")


def _debuggable(part: Part) -> Iterator[Fault]:
    if part.manifest is not None and part.manifest.debuggable:
        yield Fault(PATH, 'it says debuggable="true"')


RULES = (
    Rule(
        "aar-permission",
        "warning",
        "a permission that an AAR's manifest merges into the app: INTERNET for an engine that needs none",
        'take the library alone, or remove it in the app\'s manifest: <uses-permission ... tools:node="remove" />',
        MERGING,
        ("aar",),
        _permissions,
    ),
    Rule(
        "aar-provider",
        "warning",
        "a ContentProvider that an AAR's manifest merges into the app, and that runs at every start",
        'remove it in the app\'s manifest: <provider ... tools:node="remove" />, and begin what it began yourself',
        "https://developer.android.com/reference/android/content/ContentProvider#onCreate()",
        ("aar",),
        _providers,
    ),
    Rule(
        "aar-provider-authority",
        "error",
        "a ContentProvider whose authority is the same in every app: two such apps cannot be installed on a device",
        "name it ${applicationId}.SOMETHING",
        "https://developer.android.com/guide/topics/manifest/provider-element#auth",
        ("aar",),
        _fixed_authority,
    ),
    Rule(
        "aar-min-sdk",
        "warning",
        "an AAR that does not say from which Android on it runs",
        "set minSdk in its build; an app for older systems then fails when it is built, not when it runs",
        "https://developer.android.com/guide/topics/manifest/uses-sdk-element#min",
        ("aar",),
        _no_min_sdk,
    ),
    Rule(
        "apk-target-sdk",
        "error",
        f"an app for an older Android than Play takes (API {TARGET_SDK} since 31 August 2026)",
        f"set targetSdk to {TARGET_SDK} and test what changed",
        "https://developer.android.com/google/play/requirements/target-sdk",
        ("apk",),
        _old_target,
    ),
    Rule(
        "apk-debuggable",
        "error",
        "a debuggable app, which Play refuses",
        "build the release variant",
        "https://developer.android.com/guide/topics/manifest/application-element#debug",
        ("apk",),
        _debuggable,
    ),
)
