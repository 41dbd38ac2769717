// Tells when the phone is in another network: the core then looks at its connections at once, not at the next beat.
package app.pairpin.app.platform

import android.content.Context
import android.net.ConnectivityManager
import android.net.LinkProperties
import android.net.Network

/** Calls `changed` whenever the phone's default network becomes another, is lost, or has other addresses. */
class NetworkWatcher(context: Context, private val changed: () -> Unit) : AutoCloseable {
    private val manager = context.service<ConnectivityManager>()
    private val told =
        object : ConnectivityManager.NetworkCallback() {
            private var present: Network? = null
            private var first = true
            private var addresses: Any? = null

            override fun onAvailable(network: Network) {
                // The network that is there when the watch begins is none that has changed.
                if (!first && network != present) changed()
                first = false
                present = network
                addresses = null
            }

            override fun onLost(network: Network) {
                first = false
                present = null
                changed()
            }

            override fun onLinkPropertiesChanged(network: Network, properties: LinkProperties) {
                val now = properties.linkAddresses.toSet()
                if (addresses != null && addresses != now) changed()
                addresses = now
            }
        }

    init {
        manager.registerDefaultNetworkCallback(told)
    }

    override fun close() = manager.unregisterNetworkCallback(told)
}
