"""Every error a user can meet, drawn in one place.

LakehouseError
├── UsageError                 the request is wrong; nothing ran (exit code 2)
│   ├── InvalidSetting
│   ├── UnknownAsset, UnknownTimeframe, UnknownProvider, UnknownTable, UnknownStream
│   ├── InvalidWindow, InvalidFilter, InvalidQuery, InvalidRow, InvalidRetention
│   └── NothingToResume, UnknownRun
├── EngineError
│   ├── JavaMissing, JarsMissing
│   └── EngineStartFailed, EngineUnreachable, EngineLost
├── OrchestratorStartFailed
├── StreamError
│   ├── BrokerStartFailed, BrokerUnreachable, TopicDiffers
│   └── StreamStartFailed, StreamFailed
├── SourceError                a provider or a file did not give its rows
│   ├── SourceUnavailable, RateLimited, BadAnswer, RequestRefused
│   ├── CircuitOpen, NoHistory, AllSourcesFailed, FetchCancelled
│   └── NoFiles, UnreadableFile
├── GateError
│   ├── InvalidSuite
│   └── BatchQuarantined
├── BuildFailed
├── WriteConflict
├── DeadLetterError
│   └── UnreadableDeadLetter, UnknownDeadLetter
├── TimeTravelError
│   └── VersionGone, UnknownVersion, BeforeFirstVersion
├── ReleaseError
│   ├── UnknownRelease, InvalidReleaseName, ReleaseExists, ReleaseGone, NotInRelease, LatestIsKept
│   └── NothingToRelease, RollbackFailed
└── BackupError
    ├── UnknownBackup, BackupDamaged, BackupRefused, BackupFailed
    └── RestoreRefused, RestoreFailed

Each class states its message once, as a template over its facts; the facts are attributes too.
"""

from __future__ import annotations

from typing import Any, ClassVar


class LakehouseError(Exception):
    """Root of the tree. `facts` fill the template and are readable as attributes."""

    template: ClassVar[str] = "{what}"
    exit_code: ClassVar[int] = 1

    def __init__(self, **facts: Any) -> None:
        self.facts = facts
        super().__init__(self.template.format(**facts))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["facts"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.facts))


def _rebuild(kind: type[LakehouseError], facts: dict[str, Any]) -> LakehouseError:
    return kind(**facts)


class UsageError(LakehouseError):
    exit_code = 2


class InvalidSetting(UsageError):
    template = "Setting {name} is wrong: {problem}. Correct it in {where}."


class UnknownAsset(UsageError):
    template = (
        "Unknown asset {asset_pair}. Known assets: {known}. "
        "A new one needs an entry under `assets` in {where}."
    )


class UnknownTimeframe(UsageError):
    template = "Unknown timeframe {timeframe}. Known timeframes: {known}."


class UnknownProvider(UsageError):
    template = "Unknown provider {provider}. Known providers: {known}."


class UnknownTable(UsageError):
    template = "There is no table {table}. Tables in this lakehouse: {known}."


class UnknownStream(UsageError):
    template = "There is no stream {stream}. Streams: {known}."


class InvalidWindow(UsageError):
    template = "The time range is wrong: {problem}."


class InvalidFilter(UsageError):
    template = "The filter {value} is wrong: {problem}."


class InvalidQuery(UsageError):
    template = "The query cannot run: {problem}"


class InvalidRow(UsageError):
    template = "There is no such row to explain: {problem}."


class InvalidRetention(UsageError):
    template = (
        "Vacuum with {hours} h would remove versions younger than the safe retention of {safe} h "
        "of {table}. Pass {word} if that is what you want."
    )


class NothingToResume(UsageError):
    template = "No unfinished backfill matches these flags. Run it without --resume."


class UnknownRun(UsageError):
    template = "No step of a run {run} is known. The latest run: {latest}."


class EngineError(LakehouseError):
    pass


class JavaMissing(EngineError):
    template = "Spark needs Java 17, and {found}: install it and set JAVA_HOME to it."


class JarsMissing(EngineError):
    template = "The engine's JARs are not in {path}: run `make setup`."


class EngineStartFailed(EngineError):
    template = "The {engine} engine did not start: {problem}. Its log: {log}"


class EngineUnreachable(EngineError):
    template = "No engine answers at {remote}: {problem}. Try `lakehouse doctor`."


class EngineLost(EngineError):
    template = "The engine is gone. Run {what} again: it starts another, and nothing is lost."


class OrchestratorStartFailed(LakehouseError):
    template = "Airflow did not start: {problem}. Its log: {log}"


class StreamError(LakehouseError):
    pass


class BrokerStartFailed(StreamError):
    template = "The Kafka broker did not start: {problem}. Its log: {log}"


class BrokerUnreachable(StreamError):
    template = "The Kafka broker at {servers} cannot be used: {problem}."


class TopicDiffers(StreamError):
    template = (
        "Topic {topic} is not as the settings want it: {differences}. Change the settings, or the "
        "topic with Kafka's own tools; the lakehouse alters no topic."
    )


class StreamStartFailed(StreamError):
    template = "Stream {stream} did not start: {problem}. Its log: {log}"


class StreamFailed(StreamError):
    template = "Stream {stream} stopped: {problem}"


class SourceError(LakehouseError):
    pass


class SourceUnavailable(SourceError):
    template = "{provider} did not answer for {subject} after {attempts} attempts: {problem}."


class RateLimited(SourceError):
    template = "{provider} limits the rate of calls for {subject}; it asks to wait {seconds} s."


class BadAnswer(SourceError):
    template = "{provider} answered for {subject} with something that is not its format: {problem}."


class RequestRefused(SourceError):
    template = "{provider} refuses {subject}: {problem}."


class CircuitOpen(SourceError):
    template = "{provider} failed {failures} times in a row and is left alone until {until}."


class NoHistory(SourceError):
    template = "{provider} keeps {subject} only from {first} on; {asked} was asked for."


class AllSourcesFailed(SourceError):
    template = "No provider could serve {subject}. {problems}"


class FetchCancelled(SourceError):
    template = "Fetching {subject} was stopped."


class NoFiles(SourceError):
    exit_code = 2
    template = "No file matches {pattern}."


class UnreadableFile(SourceError):
    template = "{path} cannot be landed: {problem}."


class GateError(LakehouseError):
    pass


class InvalidSuite(GateError):
    template = "The suite {path} is wrong: {problem}."


class BatchQuarantined(GateError):
    template = (
        "{table}: {rejected} of {rows} rows of {subject} failed the gate ({percent:.1f} %, "
        "tolerance {tolerance:.1f} %): {reasons}. Nothing of it was published. "
        "Dead letters: {dead_letters}. "
        "See `lakehouse dlq list --table {table}`."
    )


class BuildFailed(LakehouseError):
    template = "Building {what} failed: {problem}. Log: {log}"


class WriteConflict(LakehouseError):
    template = "Other writers changed {table} {attempts} times in a row. Run the command again."


class DeadLetterError(LakehouseError):
    pass


class UnreadableDeadLetter(DeadLetterError):
    template = "The dead letter {path} cannot be read ({problem}); it was left where it is."


class UnknownDeadLetter(DeadLetterError):
    exit_code = 2
    template = "There is no dead letter {name}. `lakehouse dlq list` shows what there is."


class TimeTravelError(LakehouseError):
    pass


class VersionGone(TimeTravelError):
    template = "Version {version} of {table} is gone (vacuumed). Readable: {readable}."


class UnknownVersion(TimeTravelError):
    template = "{table} has no version {version}. It has versions {first} to {last}."


class BeforeFirstVersion(TimeTravelError):
    template = "{table} did not exist at {asked}: its first version is of {first}."


class ReleaseError(LakehouseError):
    pass


class UnknownRelease(ReleaseError):
    exit_code = 2
    template = "There is no release {release}. `lakehouse release list` shows what there is."


class InvalidReleaseName(ReleaseError):
    exit_code = 2
    template = "A release cannot be called {release!r}: {problem}."


class ReleaseExists(ReleaseError):
    exit_code = 2
    template = "There is a release {release} already, of {created_at}. Choose another name."


class ReleaseGone(ReleaseError):
    template = (
        "Release {release} is gone: it was let go at {dropped_at}, and its versions may have been "
        "vacuumed. Kept: {kept}."
    )


class NotInRelease(ReleaseError):
    exit_code = 2
    template = (
        "{table} is not in release {release}, which holds {tables}. Read it without --release, or "
        "--as-of a time."
    )


class LatestIsKept(ReleaseError):
    exit_code = 2
    template = "Release {release} is the latest one, and that is always kept. Nothing was dropped."


class NothingToRelease(ReleaseError):
    template = "Nothing was released: {problem}. `lakehouse build` brings silver and gold up."


class RollbackFailed(ReleaseError):
    template = (
        "Rolling back to release {release} failed: {problem}. No table was changed for good; "
        "readers of releases saw nothing of it."
    )


class BackupError(LakehouseError):
    pass


class UnknownBackup(BackupError):
    exit_code = 2
    template = "There is no backup {backup} in {folder}. It has: {known}."


class BackupDamaged(BackupError):
    template = "Backup {backup} is damaged: {problem}. Nothing was restored from it."


class BackupRefused(BackupError):
    exit_code = 2
    template = "Nothing was backed up to {folder}: {problem}."


class BackupFailed(BackupError):
    template = "The backup was not made: {problem}. What was copied is kept for the next one."


class RestoreRefused(BackupError):
    exit_code = 2
    template = "Nothing was restored to {root}: {problem}."


class RestoreFailed(BackupError):
    template = "Restoring to {root} failed: {problem}. Nothing of it was left there."
