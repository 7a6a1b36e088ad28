namespace StableTune.LibTorch;

public static partial class torch
{
    /// <summary>Linear algebra on matrices and batches of them: the last two dimensions are rows and columns.</summary>
    public static class linalg
    {
        /// <summary>Which factors <see cref="qr"/> gives.</summary>
        public enum QRMode
        {
            /// <summary>Q is [m, k], R is [k, n], k = min(m, n).</summary>
            Reduced,

            /// <summary>Q is [m, m], R is [m, n].</summary>
            Complete,

            /// <summary>R alone; Q is empty.</summary>
            R,
        }

        /// <summary>input = U · diag(S) · Vh.</summary>
        /// <param name="input">[..., m, n], float32 or float64.</param>
        /// <param name="fullMatrices">Whether U and Vh are square.</param>
        /// <returns>U [..., m, k or m], S [..., k] falling, Vh [..., k or n, n], k = min(m, n).</returns>
        public static (Tensor U, Tensor S, Tensor Vh) svd(Tensor input, bool fullMatrices = true)
        {
            var results = Ops.LinalgSvd.RunList(input, fullMatrices);
            return (results[0], results[1], results[2]);
        }

        /// <summary>The singular values alone, falling.</summary>
        /// <param name="input">[..., m, n], float32 or float64.</param>
        /// <returns>[..., min(m, n)].</returns>
        public static Tensor svdvals(Tensor input) => Ops.LinalgSvdvals.Run(input);

        /// <summary>input = Q · R, Q with orthonormal columns, R upper triangular.</summary>
        /// <param name="input">[..., m, n], float32 or float64.</param>
        /// <param name="mode">Which factors are wanted.</param>
        /// <returns>Q and R, as <see cref="QRMode"/> says.</returns>
        public static (Tensor Q, Tensor R) qr(Tensor input, QRMode mode = QRMode.Reduced)
        {
            var results = Ops.LinalgQr.RunList(input, mode switch
            {
                QRMode.Reduced => "reduced",
                QRMode.Complete => "complete",
                QRMode.R => "r",
                _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "qr: unknown mode."),
            });
            return (results[0], results[1]);
        }

        /// <summary>The norm of all elements (2-norm of the tensor as a vector), or over dimensions: vector norm over one, Frobenius norm over two.</summary>
        /// <param name="input">Any shape.</param>
        /// <param name="dims">The dimensions, one or two; null for all.</param>
        /// <param name="keepdim">Whether they stay, with size 1.</param>
        /// <returns>The norm, [] without dims.</returns>
        public static Tensor norm(Tensor input, long[]? dims = null, bool keepdim = false)
            => Ops.LinalgNorm.Run(input, default(Argument), dims, keepdim);

        /// <summary>The p-norm (Σ |x|ᵖ)^(1/p) of elements.</summary>
        /// <param name="input">Any shape, floating-point.</param>
        /// <param name="ord">p, also ±infinity or 0.</param>
        /// <param name="dims">Over which dimensions; null for all.</param>
        /// <param name="keepdim">Whether they stay, with size 1.</param>
        /// <param name="dtype">What to compute in; null for the input's.</param>
        /// <returns>The norm, [] without dims.</returns>
        public static Tensor vector_norm(Tensor input, double ord = 2, long[]? dims = null, bool keepdim = false, ScalarType? dtype = null)
            => Ops.LinalgVectorNorm.Run(input, ord, dims, keepdim, dtype);

        /// <summary>A matrix norm by name.</summary>
        /// <param name="input">[..., m, n].</param>
        /// <param name="ord">"fro" (root of the sum of squares) or "nuc" (sum of the singular values).</param>
        /// <param name="dims">Rows and columns; null for the last two.</param>
        /// <param name="keepdim">Whether they stay, with size 1.</param>
        /// <returns>The norm, without rows and columns.</returns>
        public static Tensor matrix_norm(Tensor input, string ord = "fro", long[]? dims = null, bool keepdim = false)
            => Ops.LinalgMatrixNormStrOrd.Run(input, ord, dims ?? [-2, -1], keepdim);

        /// <summary>A matrix norm by number.</summary>
        /// <param name="input">[..., m, n].</param>
        /// <param name="ord">±2 (largest or smallest singular value), ±1 (of the columns' sums), ±infinity (of the rows' sums).</param>
        /// <param name="dims">Rows and columns; null for the last two.</param>
        /// <param name="keepdim">Whether they stay, with size 1.</param>
        /// <returns>The norm, without rows and columns.</returns>
        public static Tensor matrix_norm(Tensor input, double ord, long[]? dims = null, bool keepdim = false)
            => Ops.LinalgMatrixNorm.Run(input, ord, dims ?? [-2, -1], keepdim);

        /// <summary>The inverse.</summary>
        /// <param name="input">[..., n, n]. A singular matrix is an error.</param>
        /// <returns>[..., n, n].</returns>
        public static Tensor inv(Tensor input) => Ops.LinalgInv.Run(input);

        /// <summary>X of A · X = B, or of X · A = B.</summary>
        /// <param name="input">A, [..., n, n]. A singular matrix is an error.</param>
        /// <param name="other">B, [..., n, k], or [n].</param>
        /// <param name="left">Whether A stands on the left of X.</param>
        /// <returns>X, as B.</returns>
        public static Tensor solve(Tensor input, Tensor other, bool left = true) => Ops.LinalgSolve.Run(input, other, left);

        /// <summary>Eigenvalues and eigenvectors of a symmetric matrix.</summary>
        /// <param name="input">[..., n, n], symmetric; only one triangle is read.</param>
        /// <param name="UPLO">'L' for the lower triangle, 'U' for the upper.</param>
        /// <returns>The values [..., n] rising, and the vectors as columns [..., n, n].</returns>
        public static (Tensor values, Tensor vectors) eigh(Tensor input, char UPLO = 'L')
        {
            var results = Ops.LinalgEigh.RunList(input, UPLO.ToString());
            return (results[0], results[1]);
        }

        /// <summary>The determinant.</summary>
        /// <param name="input">[..., n, n].</param>
        /// <returns>[...].</returns>
        public static Tensor det(Tensor input) => Ops.LinalgDet.Run(input);

        /// <summary>The lower triangular L with L · Lᵀ = input.</summary>
        /// <param name="input">[..., n, n], symmetric and positive definite, else an error.</param>
        /// <returns>[..., n, n].</returns>
        public static Tensor cholesky(Tensor input) => Ops.LinalgCholesky.Run(input);
    }
}
