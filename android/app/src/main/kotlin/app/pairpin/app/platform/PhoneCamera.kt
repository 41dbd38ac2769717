// The back camera by Camera2: grey planes of its frames go to the core where they lie, its picture to the screen.
package app.pairpin.app.platform

import android.Manifest
import android.annotation.SuppressLint
import android.content.Context
import android.content.pm.PackageManager
import android.graphics.ImageFormat
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CaptureRequest
import android.hardware.camera2.params.OutputConfiguration
import android.hardware.camera2.params.SessionConfiguration
import android.media.ImageReader
import android.os.Handler
import android.os.HandlerThread
import android.util.Size
import android.view.Surface
import app.pairpin.shell.CameraAccess
import app.pairpin.shell.CameraFrame
import java.util.concurrent.Executor
import kotlin.math.abs
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow

/** The permission for the camera, and how the person has answered when asked. */
class CameraPermission(private val context: Context, private val asking: Asking) {
    private val shown = MutableStateFlow(now())
    val access: StateFlow<CameraAccess> = shown.asStateFlow()

    /** Looks again: the person may have been in the phone's settings. */
    fun look() {
        shown.value = now()
    }

    fun ask() = asking.ask(Manifest.permission.CAMERA) { look() }

    private fun now(): CameraAccess =
        when {
            !context.packageManager.hasSystemFeature(PackageManager.FEATURE_CAMERA_ANY) -> CameraAccess.NoCamera
            context.checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED -> CameraAccess.Allowed
            !asking.wasAsked(Manifest.permission.CAMERA) -> CameraAccess.NotAsked
            asking.mayAskAgain(Manifest.permission.CAMERA) -> CameraAccess.Refused
            else -> CameraAccess.RefusedForGood
        }
}

/** The back camera, or the only one. It is closed whenever the app is covered, and opened again by itself. */
class PhoneCamera(private val context: Context, private val permission: CameraPermission) : ViewCamera {
    private val manager = context.service<CameraManager>()
    private val thread = HandlerThread("camera").apply { start() }
    private val handler = Handler(thread.looper)
    private val onHandler = Executor { handler.post(it) }

    // All of these on the camera's thread alone.
    private var open: Open? = null
    private var seeing: ((CameraFrame) -> Unit)? = null
    private var surface: Surface? = null
    private var lit = false
    private var covered = false

    override val access: StateFlow<CameraAccess> get() = permission.access

    override val hasTorch: Boolean by lazy { found()?.let { (_, is_) -> is_.get(CameraCharacteristics.FLASH_INFO_AVAILABLE) } == true }

    override fun askForAccess() = permission.ask()

    override fun start(see: (CameraFrame) -> Unit) = onThread {
        seeing = see
        turn()
    }

    override fun torch(on: Boolean) = onThread {
        lit = on
        open?.repeat()
    }

    override fun showOn(surface: Surface?) = onThread {
        if (this.surface === surface) return@onThread
        this.surface = surface
        close()
        turn()
    }

    override fun stop() = onThread {
        seeing = null
        lit = false
        turn()
    }

    /** The app is covered, or seen again. */
    fun cover(on: Boolean) = onThread {
        covered = on
        turn()
    }

    private fun onThread(work: () -> Unit) {
        handler.post(work)
    }

    private fun turn() {
        if (seeing != null && !covered) {
            if (open == null) open()
        } else {
            close()
        }
    }

    private fun close() {
        open?.close()
        open = null
    }

    private fun found(): Pair<String, CameraCharacteristics>? =
        try {
            val all = manager.cameraIdList.map { it to manager.getCameraCharacteristics(it) }
            all.firstOrNull { (_, its) -> its.get(CameraCharacteristics.LENS_FACING) == CameraCharacteristics.LENS_FACING_BACK }
                ?: all.firstOrNull()
        } catch (_: CameraAccessException) {
            null
        }

    @SuppressLint("MissingPermission")
    private fun open() {
        if (permission.access.value != CameraAccess.Allowed) return
        val (id, its) = found() ?: return
        val sizes = its.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP)?.getOutputSizes(ImageFormat.YUV_420_888)
        val size = sizes?.minByOrNull { abs(it.width * it.height - WANTED) } ?: return
        val opening = Open(size, surface)
        open = opening
        try {
            manager.openCamera(id, onHandler, opening)
        } catch (_: CameraAccessException) {
            // Another app holds it: the next look tries again.
            close()
        } catch (_: SecurityException) {
            // The person took the permission back just now.
            close()
            permission.look()
        }
    }

    /** One opened camera and everything that ends with it. */
    private inner class Open(size: Size, private val picture: Surface?) : CameraDevice.StateCallback() {
        private val reader = ImageReader.newInstance(size.width, size.height, ImageFormat.YUV_420_888, 2)
        private var device: CameraDevice? = null
        private var session: CameraCaptureSession? = null
        private var ended = false

        init {
            reader.setOnImageAvailableListener({ frame() }, handler)
        }

        /** The newest frame is looked at; those before it are let go. */
        private fun frame() {
            if (ended) return
            reader.acquireLatestImage()?.use { image ->
                val plane = image.planes[0]
                seeing?.invoke(CameraFrame(plane.buffer, image.width, image.height, plane.rowStride))
            }
        }

        override fun onOpened(camera: CameraDevice) {
            if (ended) return camera.close()
            device = camera
            val outputs = listOfNotNull(reader.surface, picture).map(::OutputConfiguration)
            val told =
                object : CameraCaptureSession.StateCallback() {
                    override fun onConfigured(made: CameraCaptureSession) {
                        session = made
                        repeat()
                    }

                    override fun onConfigureFailed(made: CameraCaptureSession) = this@PhoneCamera.close()
                }
            guarded { camera.createCaptureSession(SessionConfiguration(SessionConfiguration.SESSION_REGULAR, outputs, onHandler, told)) }
        }

        override fun onDisconnected(camera: CameraDevice) = lost(camera)

        override fun onError(camera: CameraDevice, error: Int) = lost(camera)

        private fun lost(camera: CameraDevice) {
            camera.close()
            if (open === this) this@PhoneCamera.close()
        }

        /** Frames until it is closed, with the light or without. */
        fun repeat() {
            val (device, session) = (device ?: return) to (session ?: return)
            guarded {
                val request =
                    device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW).apply {
                        addTarget(reader.surface)
                        picture?.let(::addTarget)
                        set(CaptureRequest.CONTROL_AF_MODE, CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE)
                        set(CaptureRequest.FLASH_MODE, if (lit) CaptureRequest.FLASH_MODE_TORCH else CaptureRequest.FLASH_MODE_OFF)
                    }
                session.setRepeatingRequest(request.build(), null, null)
            }
        }

        /** A camera that goes away in the middle of a call is closed, as one that says so. */
        private fun guarded(work: () -> Unit) {
            if (ended) return
            try {
                work()
            } catch (_: CameraAccessException) {
                this@PhoneCamera.close()
            } catch (_: IllegalStateException) {
                this@PhoneCamera.close()
            } catch (_: IllegalArgumentException) {
                // The surface of the picture is gone already.
                this@PhoneCamera.close()
            }
        }

        fun close() {
            ended = true
            session?.close()
            device?.close()
            reader.close()
        }
    }

    private companion object {
        /** Points of a frame: enough to read a QR at arm's length, few enough to read many a second. */
        const val WANTED = 1280 * 720
    }
}
