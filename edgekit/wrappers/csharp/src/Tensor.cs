using System;
using System.Buffers;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;

namespace Edgekit {
/// <summary>An input or output of a net: memory in C order, little endian, which is used where it lies.</summary>
public sealed class Tensor {
    private static readonly Dictionary<Type, string> Types = new Dictionary<Type, string> {
        [typeof(float)] = "float32", [typeof(double)] = "float64", [typeof(bool)] = "bool",
        [typeof(sbyte)] = "int8", [typeof(short)] = "int16", [typeof(int)] = "int32", [typeof(long)] = "int64",
        [typeof(byte)] = "uint8", [typeof(ushort)] = "uint16", [typeof(uint)] = "uint32", [typeof(ulong)] = "uint64",
    };
    private readonly bool _asked;
    /// <summary>An output that the engine makes; it comes as a copy, in memory of its own.</summary>
    public Tensor(string name) : this(name, "", Memory<byte>.Empty) => _asked = true;
    /// <summary>An input, or where an output is written to; its type is as the contract's: "float16".</summary>
    public Tensor(string name, string type, Memory<byte> data, params long[] shape) =>
        (Name, Type, Data, Shape) = (name, type, data, shape);
    /// <summary>The same, of an array of numbers.</summary>
    public static Tensor Of<T>(string name, T[] data, params long[] shape) where T : unmanaged =>
        new Tensor(name, Types[typeof(T)], new Bytes<T>(data).Memory, shape);

    public string Name { get; }
    public string Type { get; }
    public Memory<byte> Data { get; }
    public IReadOnlyList<long> Shape { get; }
    /// <summary>A copy of its numbers.</summary>
    public T[] ToArray<T>() where T : unmanaged => MemoryMarshal.Cast<byte, T>(Data.Span).ToArray();

    internal static unsafe Tensor[] Infer(BundleHandle bundle, Tensor[] inputs, Tensor[] outputs) {
        using var pins = new Pins();
        Native.Array[] read = inputs.Select(input => input.Pinned(pins)).ToArray();
        Native.Array[] made = outputs.Select(output => output.Pinned(pins)).ToArray();
        using ValuesHandle values = Native.Check(Native.edgekit_infer(bundle,
            (Native.Array*)pins.Pin<Native.Array>(read), (UIntPtr)read.Length,
            (Native.Array*)pins.Pin<Native.Array>(made), (UIntPtr)made.Length, out ValuesHandle owned), owned);
        return outputs.Zip(made, (output, its) => output._asked ? output.Copied(its) : output).ToArray();
    }

    internal unsafe Native.Array Pinned(Pins pins) {
        var array = new Native.Array { Size = (UIntPtr)sizeof(Native.Array), Name = pins.Text(Name) };
        if (_asked) return array;
        (array.Type, array.Rank, array.Bytes) = (pins.Text(Type), (UIntPtr)Shape.Count, (UIntPtr)Data.Length);
        array.Shape = (long*)pins.Pin<long>(Shape.ToArray());
        array.Data = (byte*)pins.Pin(Data);
        return array;
    }

    private unsafe Tensor Copied(Native.Array made) =>
        new Tensor(Name, made.Type.ToString(), new Span<byte>(made.Data, checked((int)made.Bytes)).ToArray(),
            new Span<long>(made.Shape, (int)made.Rank).ToArray());

    private sealed class Bytes<T> : MemoryManager<byte> where T : unmanaged {
        private readonly T[] _data;
        internal Bytes(T[] data) => _data = data;
        public override Span<byte> GetSpan() => MemoryMarshal.AsBytes(_data.AsSpan());
        public override unsafe MemoryHandle Pin(int elementIndex = 0) {
            var pinned = GCHandle.Alloc(_data, GCHandleType.Pinned);
            return new MemoryHandle((byte*)pinned.AddrOfPinnedObject() + elementIndex, pinned);
        }
        public override void Unpin() { }
        protected override void Dispose(bool disposing) { }
    }
}
} // namespace Edgekit
