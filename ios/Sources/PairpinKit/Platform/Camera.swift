// The phone's camera as the models see it: what the person allows, a light, and frames that are read where they lie.
import Pairpin

/// Whether the app may look through the camera. iOS asks a person once: after that only its settings change it.
public enum CameraAccess: CaseIterable, Sendable {
    /// The person has not been asked yet.
    case notAsked
    /// It may.
    case allowed
    /// The person said no, and may be asked again.
    case refused
    /// The person said no for good: only the phone's settings change that.
    case refusedForGood
    /// The phone has none.
    case noCamera
}

/// A frame's grey plane, which is the camera's again once it was read.
public struct LumaFrame {
    private let plane: UnsafeRawBufferPointer
    private let width: Int
    private let height: Int
    private let stride: Int

    /// `plane` begins with the first pixel; rows are `stride` bytes apart.
    public init(plane: UnsafeRawBufferPointer, width: Int, height: Int, stride: Int) {
        self.plane = plane
        self.width = width
        self.height = height
        self.stride = stride
    }

    /// What the core reads in it; nothing is copied on the way.
    public func read() -> Scanned? {
        guard let address = plane.baseAddress, width > 0, height > 0, stride >= width else { return nil }
        return scanLuma(
            address: UInt64(UInt(bitPattern: address)), length: UInt64(plane.count), width: UInt32(width),
            height: UInt32(height), stride: UInt32(stride))
    }
}

/// Implemented over AVFoundation by the app, by pictures in the tests.
@MainActor
public protocol Camera: AnyObject {
    /// What the person allows, as it is now.
    var access: CameraAccess { get }

    /// Whether there is a light beside it.
    var hasTorch: Bool { get }

    /// Asks the person, where that can be; returns what came of it.
    func askForAccess() async -> CameraAccess

    /// Opens it. What is read in a frame is given to `seen`.
    func start(_ seen: @escaping @MainActor (Scanned) -> Void)

    /// Switches the light while it is open.
    func torch(_ on: Bool)

    /// Closes it, and the light with it.
    func stop()
}
