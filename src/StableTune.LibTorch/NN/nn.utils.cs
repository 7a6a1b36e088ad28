namespace StableTune.LibTorch;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>Work on lists of parameters.</summary>
        public static class utils
        {
            /// <summary>
            /// Scales all gradients by the same factor min(1, max_norm / (norm + 1e-6)), where norm is that of all gradients as
            /// one vector. Waits for the device once.
            /// </summary>
            /// <param name="tensors">The parameters; those without a gradient count as nothing.</param>
            /// <param name="max_norm">The largest norm allowed.</param>
            /// <param name="norm_type">Which norm, such as 2 or infinity.</param>
            /// <param name="error_if_nonfinite">Whether a norm that is not finite is an error; else the gradients are scaled by it.</param>
            /// <returns>The norm before scaling; 0 without gradients.</returns>
            /// <exception cref="InvalidOperationException">The norm is not finite and <paramref name="error_if_nonfinite"/> is set.</exception>
            public static double clip_grad_norm_(IEnumerable<Tensor> tensors, double max_norm, double norm_type = 2.0, bool error_if_nonfinite = false)
            {
                ArgumentNullException.ThrowIfNull(tensors);
                using var frozen = no_grad();
                using var scope = NewDisposeScope();
                var gradients = Gradients(tensors);
                if (gradients.Count == 0) return 0;

                var norms = engine.foreach_norm(gradients, norm_type).Select(norm => norm.to(gradients[0].device).to(ScalarType.Float64)).ToArray();
                var norm = linalg.vector_norm(stack(norms), norm_type).ToDouble();
                if (error_if_nonfinite && !double.IsFinite(norm))
                    throw new InvalidOperationException(
                        $"clip_grad_norm_: the norm of the gradients is {norm}: lower the learning rate, or pass error_if_nonfinite: false to go on.");
                var factor = Math.Min(1, max_norm / (norm + 1e-6));
                if (factor != 1) engine.foreach_mul_(gradients, factor);
                return norm;
            }

            /// <summary>Limits every element of every gradient to ±<paramref name="clip_value"/>.</summary>
            /// <param name="tensors">The parameters; those without a gradient are passed over.</param>
            /// <param name="clip_value">The bound, not negative.</param>
            public static void clip_grad_value_(IEnumerable<Tensor> tensors, double clip_value)
            {
                ArgumentNullException.ThrowIfNull(tensors);
                ArgumentOutOfRangeException.ThrowIfNegative(clip_value);
                using var frozen = no_grad();
                using var scope = NewDisposeScope();
                foreach (var gradient in Gradients(tensors)) gradient.clamp_(-clip_value, clip_value);
            }

            /// <summary>All parameters' elements in a row.</summary>
            /// <param name="tensors">The parameters, of one dtype.</param>
            /// <returns>[sum of the numbers of elements], connected to the parameters in the graph.</returns>
            public static Tensor parameters_to_vector(IEnumerable<Tensor> tensors)
            {
                ArgumentNullException.ThrowIfNull(tensors);
                using var scope = NewDisposeScope();
                return cat([.. tensors.Select(tensor => tensor.reshape(-1))]).MoveToOuterDisposeScope();
            }

            /// <summary>Copies a vector's elements into parameters, in the order of <see cref="parameters_to_vector"/>.</summary>
            /// <param name="vec">[sum of the numbers of elements].</param>
            /// <param name="tensors">The parameters; their values are replaced.</param>
            /// <exception cref="ArgumentException">The vector's length is not the sum.</exception>
            public static void vector_to_parameters(Tensor vec, IEnumerable<Tensor> tensors)
            {
                ArgumentNullException.ThrowIfNull(vec);
                var targets = tensors.ToList();
                var total = targets.Sum(target => target.numel());
                if (vec.dim() != 1 || vec.shape[0] != total)
                    throw new ArgumentException($"vector_to_parameters: the vector has shape [{string.Join(", ", vec.shape)}], the parameters hold {total} elements: they must agree.", nameof(vec));
                using var frozen = no_grad();
                using var scope = NewDisposeScope();
                long at = 0;
                foreach (var target in targets)
                {
                    target.copy_(vec.narrow(0, at, target.numel()).view(target.shape));
                    at += target.numel();
                }
            }

            private static List<Tensor> Gradients(IEnumerable<Tensor> tensors) => [.. tensors.Select(tensor => tensor.grad).OfType<Tensor>()];
        }
    }
}
