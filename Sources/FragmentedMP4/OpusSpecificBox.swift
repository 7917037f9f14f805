import Media
import NIOCore

/// `dOps` (Encapsulation of Opus in ISO Base Media File Format §4.3.2): the facts of an OpusHead, big-endian.
enum OpusSpecificBox {
    static func write(_ configuration: OpusConfiguration, into writer: inout BoxWriter) {
        writer.box("dOps") { writer in
            writer.write(UInt8(0))
            writer.write(UInt8(clamping: configuration.channels))
            writer.write(UInt16(clamping: configuration.preSkip))
            writer.write(UInt32(clamping: configuration.inputSampleRate))
            writer.write(configuration.outputGain)
            writer.write(configuration.mappingFamily)
            guard configuration.mappingFamily != 0 else { return }
            writer.write(UInt8(clamping: configuration.streams))
            writer.write(UInt8(clamping: configuration.coupledStreams))
            for channel in configuration.channelMapping {
                writer.write(channel)
            }
        }
    }
}
