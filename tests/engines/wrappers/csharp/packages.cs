// What the face takes of the two packages that netstandard2.0 needs: they are on NuGet alone. Only declarations, to
// compile against; nothing of it is run.
#pragma warning disable 0660, 0661, 1591
using System.Buffers;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;
using System.Threading.Tasks.Sources;

// System.Memory
namespace System {
    public readonly ref struct Span<T> {
        public unsafe Span(void* pointer, int length) => throw null!;
        public T[] ToArray() => throw null!;
    }

    public readonly struct Memory<T> {
        public static Memory<T> Empty => throw null!;
        public static implicit operator Memory<T>(T[]? array) => throw null!;
        public bool IsEmpty => throw null!;
        public int Length => throw null!;
        public Span<T> Span => throw null!;
        public MemoryHandle Pin() => throw null!;
    }

    public static class MemoryExtensions {
        public static Span<T> AsSpan<T>(this T[]? array) => throw null!;
    }
}

namespace System.Buffers {
    public interface IPinnable {
        MemoryHandle Pin(int elementIndex);
        void Unpin();
    }

    public struct MemoryHandle : IDisposable {
        public unsafe MemoryHandle(void* pointer, GCHandle handle = default, IPinnable? pinnable = null) => throw null!;
        public unsafe void* Pointer => throw null!;
        public void Dispose() => throw null!;
    }

    public abstract class MemoryManager<T> : IPinnable {
        public virtual Memory<T> Memory => throw null!;
        public abstract Span<T> GetSpan();
        public abstract MemoryHandle Pin(int elementIndex = 0);
        public abstract void Unpin();
        protected abstract void Dispose(bool disposing);
    }
}

namespace System.Runtime.InteropServices {
    public static class MemoryMarshal {
        public static Span<byte> AsBytes<T>(Span<T> span) where T : struct => throw null!;
        public static Span<TTo> Cast<TFrom, TTo>(Span<TFrom> span)
            where TFrom : struct where TTo : struct => throw null!;
    }
}

// System.Threading.Tasks.Extensions, which Microsoft.Bcl.AsyncInterfaces brings
namespace System.Threading.Tasks {
    [AsyncMethodBuilder(typeof(AsyncValueTaskMethodBuilder))]
    public readonly struct ValueTask {
        public ValueTask(IValueTaskSource source, short token) => throw null!;
        public ValueTaskAwaiter GetAwaiter() => throw null!;
        public ConfiguredValueTaskAwaitable ConfigureAwait(bool continueOnCapturedContext) => throw null!;
    }

    public readonly struct ValueTask<T> {
        public ValueTask(T result) => throw null!;
        public ValueTask(IValueTaskSource<T> source, short token) => throw null!;
        public ValueTaskAwaiter<T> GetAwaiter() => throw null!;
        public ConfiguredValueTaskAwaitable<T> ConfigureAwait(bool continueOnCapturedContext) => throw null!;
    }
}

namespace System.Threading.Tasks.Sources {
    public enum ValueTaskSourceStatus { Pending }

    [Flags]
    public enum ValueTaskSourceOnCompletedFlags { None }

    public interface IValueTaskSource {
        ValueTaskSourceStatus GetStatus(short token);
        void OnCompleted(
            Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags);
        void GetResult(short token);
    }

    public interface IValueTaskSource<out T> {
        ValueTaskSourceStatus GetStatus(short token);
        void OnCompleted(
            Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags);
        T GetResult(short token);
    }
}

namespace System.Runtime.CompilerServices {
    public sealed class AsyncMethodBuilderAttribute : Attribute {
        public AsyncMethodBuilderAttribute(Type builderType) { }
    }

    public struct AsyncValueTaskMethodBuilder {
        public static AsyncValueTaskMethodBuilder Create() => throw null!;
        public ValueTask Task => throw null!;
        public void Start<T>(ref T machine) where T : IAsyncStateMachine => throw null!;
        public void SetStateMachine(IAsyncStateMachine machine) => throw null!;
        public void SetResult() => throw null!;
        public void SetException(Exception exception) => throw null!;
        public void AwaitOnCompleted<A, T>(ref A awaiter, ref T machine)
            where A : INotifyCompletion where T : IAsyncStateMachine => throw null!;
        public void AwaitUnsafeOnCompleted<A, T>(ref A awaiter, ref T machine)
            where A : ICriticalNotifyCompletion where T : IAsyncStateMachine => throw null!;
    }

    public readonly struct ValueTaskAwaiter : ICriticalNotifyCompletion {
        public bool IsCompleted => throw null!;
        public void GetResult() => throw null!;
        public void OnCompleted(Action continuation) => throw null!;
        public void UnsafeOnCompleted(Action continuation) => throw null!;
    }

    public readonly struct ValueTaskAwaiter<T> : ICriticalNotifyCompletion {
        public bool IsCompleted => throw null!;
        public T GetResult() => throw null!;
        public void OnCompleted(Action continuation) => throw null!;
        public void UnsafeOnCompleted(Action continuation) => throw null!;
    }

    public readonly struct ConfiguredValueTaskAwaitable {
        public ValueTaskAwaiter GetAwaiter() => throw null!;
    }

    public readonly struct ConfiguredValueTaskAwaitable<T> {
        public ValueTaskAwaiter<T> GetAwaiter() => throw null!;
    }
}

// Microsoft.Bcl.AsyncInterfaces
namespace System {
    public interface IAsyncDisposable {
        ValueTask DisposeAsync();
    }
}

namespace System.Collections.Generic {
    public interface IAsyncEnumerable<out T> {
        IAsyncEnumerator<T> GetAsyncEnumerator(CancellationToken cancellationToken = default);
    }

    public interface IAsyncEnumerator<out T> : IAsyncDisposable {
        T Current { get; }
        ValueTask<bool> MoveNextAsync();
    }
}

namespace System.Threading.Tasks {
    public static class TaskAsyncEnumerableExtensions {
        public static ConfiguredCancelableAsyncEnumerable<T> ConfigureAwait<T>(
            this IAsyncEnumerable<T> source, bool continueOnCapturedContext) => throw null!;
    }
}

namespace System.Runtime.CompilerServices {
    public readonly struct ConfiguredCancelableAsyncEnumerable<T> {
        public Enumerator GetAsyncEnumerator() => throw null!;

        public readonly struct Enumerator {
            public ConfiguredValueTaskAwaitable<bool> MoveNextAsync() => throw null!;
            public T Current => throw null!;
            public ConfiguredValueTaskAwaitable DisposeAsync() => throw null!;
        }
    }

    public sealed class EnumeratorCancellationAttribute : Attribute { }

    public sealed class AsyncIteratorStateMachineAttribute : StateMachineAttribute {
        public AsyncIteratorStateMachineAttribute(Type stateMachineType) : base(stateMachineType) { }
    }

    public struct AsyncIteratorMethodBuilder {
        public static AsyncIteratorMethodBuilder Create() => throw null!;
        public void MoveNext<T>(ref T machine) where T : IAsyncStateMachine => throw null!;
        public void AwaitOnCompleted<A, T>(ref A awaiter, ref T machine)
            where A : INotifyCompletion where T : IAsyncStateMachine => throw null!;
        public void AwaitUnsafeOnCompleted<A, T>(ref A awaiter, ref T machine)
            where A : ICriticalNotifyCompletion where T : IAsyncStateMachine => throw null!;
        public void Complete() => throw null!;
    }
}

namespace System.Threading.Tasks.Sources {
    public struct ManualResetValueTaskSourceCore<T> {
        public short Version => throw null!;
        public void Reset() => throw null!;
        public void SetResult(T result) => throw null!;
        public void SetException(Exception error) => throw null!;
        public T GetResult(short token) => throw null!;
        public ValueTaskSourceStatus GetStatus(short token) => throw null!;
        public void OnCompleted(Action<object?> continuation, object? state, short token,
                                ValueTaskSourceOnCompletedFlags flags) => throw null!;
    }
}
