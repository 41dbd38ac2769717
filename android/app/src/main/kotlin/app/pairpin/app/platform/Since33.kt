// What Android has from API level 33 on. Used only behind `SDK_INT >= 33`.
package app.pairpin.app.platform

import android.Manifest

internal object Since33 {
    /** The person's permission for notifications; before, none was asked for. */
    const val NOTIFY = Manifest.permission.POST_NOTIFICATIONS
}
