// The back camera: its frames are read where they lie, and nothing of them is kept.
@preconcurrency import AVFoundation
import Pairpin
import PairpinKit
import SwiftUI

@MainActor
final class PhoneCamera: Camera {
    /// What the preview shows.
    let session = AVCaptureSession()

    private let device = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: .back)
    private let queue = DispatchQueue(label: "app.pairpin.camera")
    private var reader: FrameReader?

    var access: CameraAccess {
        if device == nil { return .noCamera }
        switch AVCaptureDevice.authorizationStatus(for: .video) {
        case .authorized: return .allowed
        case .notDetermined: return .notAsked
        default: return .refusedForGood
        }
    }

    var hasTorch: Bool { device?.hasTorch ?? false }

    func askForAccess() async -> CameraAccess {
        if access == .notAsked { _ = await AVCaptureDevice.requestAccess(for: .video) }
        return access
    }

    func start(_ seen: @escaping @MainActor (Scanned) -> Void) {
        let reader = FrameReader { scanned in Task { @MainActor in seen(scanned) } }
        self.reader = reader
        queue.async { [session, device, queue] in
            session.beginConfiguration()
            if session.inputs.isEmpty, let device, let input = try? AVCaptureDeviceInput(device: device) {
                session.sessionPreset = .hd1280x720
                if session.canAddInput(input) { session.addInput(input) }
            }
            for output in session.outputs { session.removeOutput(output) }
            let output = AVCaptureVideoDataOutput()
            output.alwaysDiscardsLateVideoFrames = true
            output.videoSettings = [
                kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_420YpCbCr8BiPlanarFullRange
            ]
            output.setSampleBufferDelegate(reader, queue: queue)
            if session.canAddOutput(output) { session.addOutput(output) }
            session.commitConfiguration()
            session.startRunning()
        }
    }

    func torch(_ on: Bool) {
        guard let device, device.hasTorch, (try? device.lockForConfiguration()) != nil else { return }
        device.torchMode = on ? .on : .off
        device.unlockForConfiguration()
    }

    func stop() {
        reader = nil
        queue.async { [session] in session.stopRunning() }
    }
}

/// Gives the grey plane of each frame to the core by its address.
private final class FrameReader: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate, Sendable {
    private let seen: @Sendable (Scanned) -> Void

    init(_ seen: @escaping @Sendable (Scanned) -> Void) { self.seen = seen }

    func captureOutput(_: AVCaptureOutput, didOutput sample: CMSampleBuffer, from _: AVCaptureConnection) {
        guard let pixels = CMSampleBufferGetImageBuffer(sample) else { return }
        CVPixelBufferLockBaseAddress(pixels, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(pixels, .readOnly) }
        guard let base = CVPixelBufferGetBaseAddressOfPlane(pixels, 0) else { return }
        let (height, stride) = (
            CVPixelBufferGetHeightOfPlane(pixels, 0), CVPixelBufferGetBytesPerRowOfPlane(pixels, 0)
        )
        let frame = LumaFrame(
            plane: UnsafeRawBufferPointer(start: base, count: stride * height),
            width: CVPixelBufferGetWidthOfPlane(pixels, 0), height: height, stride: stride)
        if let scanned = frame.read() { seen(scanned) }
    }
}

/// What the camera sees.
struct CameraPreview: UIViewRepresentable {
    let session: AVCaptureSession

    func makeUIView(context: Context) -> PreviewView {
        let view = PreviewView()
        view.preview?.session = session
        view.preview?.videoGravity = .resizeAspectFill
        return view
    }

    func updateUIView(_ view: PreviewView, context: Context) {}

    final class PreviewView: UIView {
        override class var layerClass: AnyClass { AVCaptureVideoPreviewLayer.self }

        var preview: AVCaptureVideoPreviewLayer? { layer as? AVCaptureVideoPreviewLayer }
    }
}
