import Foundation
import TestSupport

extension FLVFile {
    /// Eight seconds of H.264 and AAC: 200 pictures, 346 frames of sound, a keyframe every second.
    static func sample() throws -> FLVFile {
        try FLVFile(path: Places.repository + "/Tests/DeliveryTests/Fixtures/h264-aac.flv")
    }
}
