// Services of the system, by their class.
package app.pairpin.app.platform

import android.content.Context

/** The system's service of this class; each phone has those that are asked for here. */
internal inline fun <reified T : Any> Context.service(): T = checkNotNull(getSystemService(T::class.java))
