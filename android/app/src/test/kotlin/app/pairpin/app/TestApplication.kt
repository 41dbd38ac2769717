// The application of the tests: the real core, over a store and keys in memory.
package app.pairpin.app

import androidx.activity.ComponentActivity
import app.pairpin.app.platform.Dependencies
import app.pairpin.app.platform.PairpinApplication
import app.pairpin.core.PairpinApp
import app.pairpin.shell.ApprovalKeys
import app.pairpin.testkit.Phone
import java.nio.file.Files

class TestApplication : PairpinApplication() {
    val phone = Phone(Files.createTempDirectory("pairpin-phone"))

    override val dependencies =
        object : Dependencies {
            private var opened: PairpinApp? = null

            override suspend fun open() = opened ?: phone.open().also { opened = it }

            override val approvalKeys: ApprovalKeys get() = error("not yet")

            override fun attach(activity: ComponentActivity) = Unit

            override fun shown() = Unit

            override fun hidden() = Unit
        }
}
