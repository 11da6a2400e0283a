package dev.edgekit.sample

import edgekit.ModelBundle
import edgekit.Part
import edgekit.Refused
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeoutOrNull

/**
 * The one open bundle of a process, and what the system's memory levels mean for it: kept while the app is seen, its
 * caches go when it is not, its weights when it stays so. What is needed again is loaded by itself.
 *
 * @param finishMs how long an answer may go on when nobody sees it any more; then it is cancelled, and what it said stays
 * @param graceMs from TRIM_MEMORY_BACKGROUND until the weights go
 */
class Keeper(
    private val scope: CoroutineScope, private val finishMs: Long = 5_000, private val graceMs: Long = 30_000,
) {
    @Volatile var bundle: ModelBundle? = null
    @Volatile private var answer: Job? = null
    private var hiding: Job? = null
    private var dropping: Job? = null

    /** The answer that is being made; one at a time. */
    fun answer(make: suspend () -> Unit): Job = scope.launch { make() }.also { answer = it }

    fun stop() {
        answer?.cancel()
    }

    /** The app is seen again: what was not given back yet stays. */
    fun shown() {
        hiding?.cancel()
        dropping?.cancel()
    }

    /** TRIM_MEMORY_UI_HIDDEN. */
    fun hidden(): Job = scope.launch {
        withTimeoutOrNull(finishMs) { answer?.join() } ?: answer?.cancelAndJoin()
        trim(Part.CACHES)
    }.also { hiding = it }

    /** TRIM_MEMORY_BACKGROUND: this process is among the next to be killed. */
    fun background(): Job = dropping?.takeIf { it.isActive } ?: scope.launch {
        delay(graceMs)
        answer?.cancelAndJoin()
        trim(Part.WEIGHTS)
    }.also { dropping = it }

    private suspend fun trim(what: Part) {
        try {
            bundle?.trim(what)
        } catch (why: Refused) {
            if (why.code != "closed") throw why
        }
    }
}
