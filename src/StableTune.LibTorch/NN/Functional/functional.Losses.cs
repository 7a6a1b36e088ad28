namespace StableTune.LibTorch;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>How the losses of the elements become the result.</summary>
        public enum Reduction : long
        {
            /// <summary>Not at all: the result has the shape of the input.</summary>
            None = 0,

            /// <summary>Their mean, a scalar.</summary>
            Mean = 1,

            /// <summary>Their sum, a scalar.</summary>
            Sum = 2,
        }

        public static partial class functional
        {
            /// <summary>(x - y)².</summary>
            /// <param name="input">x.</param>
            /// <param name="target">y, of the same shape.</param>
            /// <param name="reduction">How elements become the result.</param>
            /// <returns>[], or as the input with <see cref="Reduction.None"/>.</returns>
            public static Tensor mse_loss(Tensor input, Tensor target, Reduction reduction = Reduction.Mean)
                => Ops.MseLoss.Run(input, target, (long)reduction);

            /// <summary>|x - y|.</summary>
            /// <param name="input">x.</param>
            /// <param name="target">y, of the same shape.</param>
            /// <param name="reduction">How elements become the result.</param>
            /// <returns>[], or as the input with <see cref="Reduction.None"/>.</returns>
            public static Tensor l1_loss(Tensor input, Tensor target, Reduction reduction = Reduction.Mean)
                => Ops.L1Loss.Run(input, target, (long)reduction);

            /// <summary>With d = |x - y|: d² / 2 where d is below delta, else delta · (d - delta / 2).</summary>
            /// <param name="input">x.</param>
            /// <param name="target">y, of the same shape.</param>
            /// <param name="delta">Where the parabola becomes a line, positive.</param>
            /// <param name="reduction">How elements become the result.</param>
            /// <returns>[], or as the input with <see cref="Reduction.None"/>.</returns>
            public static Tensor huber_loss(Tensor input, Tensor target, double delta = 1.0, Reduction reduction = Reduction.Mean)
                => Ops.HuberLoss.Run(input, target, (long)reduction, delta);

            /// <summary>With d = |x - y|: d² / (2 · beta) where d is below beta, else d - beta / 2.</summary>
            /// <param name="input">x.</param>
            /// <param name="target">y, of the same shape.</param>
            /// <param name="reduction">How elements become the result.</param>
            /// <param name="beta">Where the parabola becomes a line; 0 gives |x - y|.</param>
            /// <returns>[], or as the input with <see cref="Reduction.None"/>.</returns>
            public static Tensor smooth_l1_loss(Tensor input, Tensor target, Reduction reduction = Reduction.Mean, double beta = 1.0)
                => Ops.SmoothL1Loss.Run(input, target, (long)reduction, beta);

            /// <summary>The negative logarithm of the softmax at the target class.</summary>
            /// <param name="input">Logits, [B, classes, ...].</param>
            /// <param name="target">Class numbers [B, ...], int64, or probabilities of the input's shape.</param>
            /// <param name="weight">Weight of each class, [classes], or null.</param>
            /// <param name="ignore_index">A class number that does not count.</param>
            /// <param name="reduction">How elements become the result; the mean is weighted.</param>
            /// <param name="label_smoothing">Share of the target spread evenly over all classes, 0 to 1.</param>
            /// <returns>[], or [B, ...] with <see cref="Reduction.None"/>.</returns>
            public static Tensor cross_entropy(
                Tensor input, Tensor target, Tensor? weight = null, long ignore_index = -100, Reduction reduction = Reduction.Mean, double label_smoothing = 0.0)
                => Ops.CrossEntropyLoss.Run(input, target, weight, (long)reduction, ignore_index, label_smoothing);
        }
    }
}
