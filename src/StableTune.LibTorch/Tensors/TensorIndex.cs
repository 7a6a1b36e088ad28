namespace StableTune.LibTorch;

public static partial class torch
{
    /// <summary>
    /// One entry of an index expression <c>tensor[a, b, ...]</c>: a number, a slice, a tensor of indices or a mask, an ellipsis, or a
    /// new dimension.
    /// </summary>
    public readonly struct TensorIndex
    {
        internal enum Kind { None, Single, Slice, Tensor, Ellipsis }

        private TensorIndex(Kind kind) => IndexKind = kind;

        internal Kind IndexKind { get; }
        internal long Value { get; private init; }
        internal long? Start { get; private init; }
        internal long? Stop { get; private init; }
        internal long Step { get; private init; }
        internal Tensor? Indices { get; private init; }

        /// <summary>Stands for all dimensions that are not named.</summary>
        public static TensorIndex Ellipsis => new(Kind.Ellipsis);

        /// <summary>A new dimension of size 1.</summary>
        public static TensorIndex None => new(Kind.None);

        /// <summary>A new dimension of size 1.</summary>
        public static TensorIndex Null => None;

        /// <summary>The whole dimension.</summary>
        public static TensorIndex Colon => Slice();

        /// <summary>Entries start to stop (exclusive), every step-th; null is "from the beginning" and "to the end"; negative counts from the end.</summary>
        /// <exception cref="ArgumentOutOfRangeException">The step is below 1.</exception>
        public static TensorIndex Slice(long? start = null, long? stop = null, long? step = null)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(step ?? 1, 1, nameof(step));
            return new(Kind.Slice) { Start = start, Stop = stop, Step = step ?? 1 };
        }

        /// <summary>One entry; the dimension vanishes. Negative counts from the end.</summary>
        public static TensorIndex Single(long? index) => index is { } value ? value : None;

        /// <summary>Entries by an index tensor, or by a mask.</summary>
        public static TensorIndex Tensor(Tensor tensor) => tensor;

        /// <summary>One entry; the dimension vanishes.</summary>
        public static implicit operator TensorIndex(long value) => new(Kind.Single) { Value = value };

        /// <summary>One entry; the dimension vanishes.</summary>
        public static implicit operator TensorIndex(int value) => (long)value;

        /// <summary>Entries by an index tensor, or by a mask.</summary>
        public static implicit operator TensorIndex(Tensor tensor) => new(Kind.Tensor) { Indices = tensor };

        /// <summary>A slice such as <c>1..^1</c>.</summary>
        public static implicit operator TensorIndex(Range range) => Slice(
            range.Start.IsFromEnd ? -range.Start.Value : range.Start.Value,
            range.End is { IsFromEnd: true, Value: 0 } ? null : range.End.IsFromEnd ? -range.End.Value : range.End.Value);
    }
}
