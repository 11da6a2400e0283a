import CEdgekit
import Foundation

/// An array: `type` is as the contract's ("float32"), `data` lies in C order, little endian.
public struct Tensor: Equatable, Sendable {
    public let (type, shape, data): (String, [Int], Data)

    public init(_ type: String, _ shape: [Int], _ data: Data) {
        (self.type, self.shape, self.data) = (type, shape, data)
    }

    /// Of numbers: of Float for "float32", of UInt8 for "uint8" ...
    public init<Number: BitwiseCopyable>(_ type: String, _ shape: [Int], _ numbers: [Number]) {
        self.init(type, shape, numbers.withUnsafeBytes { Data($0) })
    }

    /// A copy of its numbers.
    public func numbers<Number: BitwiseCopyable>(of type: Number.Type) -> [Number] {
        Array(unsafeUninitializedCapacity: data.count / MemoryLayout<Number>.stride) { numbers, count in
            count = data.copyBytes(to: numbers) / MemoryLayout<Number>.stride
        }
    }

    /// Do something while these lie still.
    static func lend<Result>(
        _ left: [(key: String, value: Tensor)], _ lent: [String: TensorView] = [:],
        _ body: ([String: TensorView]) throws -> Result
    ) rethrows -> Result {
        guard let (name, tensor) = left.last else { return try body(lent) }
        return try tensor.data.withUnsafeBytes {
            try lend(left.dropLast(), lent.merging([name: TensorView(tensor.type, tensor.shape, $0)]) { $1 }, body)
        }
    }
}

/// An array where it lies, for the time of a call: what `withUnsafeBytes` or `withUnsafeMutableBytes` gives.
public struct TensorView {
    let (type, shape, bytes): (String, [Int], UnsafeRawBufferPointer)

    /// An input, which is read alone.
    public init(_ type: String, _ shape: [Int], _ bytes: UnsafeRawBufferPointer) {
        (self.type, self.shape, self.bytes) = (type, shape, bytes)
    }

    /// Where an output is written to; an input, too.
    public init(_ type: String, _ shape: [Int], _ bytes: UnsafeMutableRawBufferPointer) {
        self.init(type, shape, UnsafeRawBufferPointer(bytes))
    }

    static func infer(
        _ bundle: OpaquePointer, _ inputs: [String: TensorView], _ outputs: [String: TensorView?]
    ) throws -> [String: Tensor] {
        let names = Array(outputs.keys)
        var (made, owned) = ([edgekit_tensor](), nil as OpaquePointer?)
        try check(Lent.of { lent in
            let read = inputs.map { described($0.key, $0.value, lent) }
            made = names.map { described($0, outputs[$0]!, lent) }
            return edgekit_infer(bundle, read, read.count, &made, made.count, &owned)
        })
        defer { edgekit_values_free(owned) }
        let asked = zip(names, made).filter { outputs[$0.0]! == nil }
        return Dictionary(uniqueKeysWithValues: asked.map { name, tensor in
            let shape = UnsafeBufferPointer(start: tensor.shape, count: tensor.rank).map { Int($0) }
            let bytes = UnsafeRawBufferPointer(start: tensor.data, count: tensor.bytes)
            return (name, Tensor(String(tensor.type), shape, Data(bytes)))
        })
    }

    static func described(_ name: String, _ view: TensorView?, _ lent: Lent) -> edgekit_tensor {
        var tensor = edgekit_tensor()
        (tensor.size, tensor.name) = (MemoryLayout<edgekit_tensor>.stride, lent.text(name))
        guard let view else { return tensor }
        (tensor.type, tensor.rank) = (lent.text(view.type), view.shape.count)
        tensor.shape = UnsafePointer(lent.copy(view.shape.map { Int64($0) }))
        let place = view.bytes.baseAddress.map(UnsafeMutableRawPointer.init(mutating:))
        (tensor.data, tensor.bytes) = (place ?? UnsafeMutableRawPointer(lent.copy([UInt8(0)])), view.bytes.count)
        return tensor
    }
}
