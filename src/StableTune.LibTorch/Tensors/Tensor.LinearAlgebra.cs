namespace StableTune.LibTorch;

public static partial class torch
{
    public partial class Tensor
    {
        private static readonly Operator s_matmul = new("matmul");
        private static readonly Operator s_mm = new("mm");
        private static readonly Operator s_bmm = new("bmm");
        private static readonly Operator s_mv = new("mv");
        private static readonly Operator s_dot = new("dot");
        private static readonly Operator s_outer = new("outer");
        private static readonly Operator s_addmm = new("addmm");
        private static readonly Operator s_addmm_ = new("addmm_");
        private static readonly Operator s_baddbmm = new("baddbmm");
        private static readonly Operator s_baddbmm_ = new("baddbmm_");
        private static readonly Operator s_kron = new("kron");
        private static readonly Operator s_inverse = new("inverse");
        private static readonly Operator s_det = new("det");
        private static readonly Operator s_trace = new("trace");
        private static readonly Operator s_cross = new("cross");

        /// <summary>Matrix product; leading dimensions broadcast.</summary>
        public Tensor matmul(Tensor target) => s_matmul.Run(this, target);

        /// <summary>Matrix product, [n, k] by [k, m].</summary>
        public Tensor mm(Tensor target) => s_mm.Run(this, target);

        /// <summary>Matrix products of a batch, [B, n, k] by [B, k, m].</summary>
        public Tensor bmm(Tensor batch2) => s_bmm.Run(this, batch2);

        /// <summary>Matrix times vector, [n, k] by [k].</summary>
        public Tensor mv(Tensor target) => s_mv.Run(this, target);

        /// <summary>Inner product of two vectors.</summary>
        public Tensor dot(Tensor target) => s_dot.Run(this, target);

        /// <summary>Outer product of two vectors, [n, m].</summary>
        public Tensor outer(Tensor vec2) => s_outer.Run(this, vec2);

        /// <summary>this + mat1 * mat2 (matrix product).</summary>
        public Tensor addmm(Tensor mat1, Tensor mat2) => s_addmm.Run(this, mat1, mat2);

        /// <summary>beta * this + alpha * mat1 * mat2 (matrix product).</summary>
        public Tensor addmm(Tensor mat1, Tensor mat2, Scalar beta, Scalar alpha) => s_addmm.Run(this, mat1, mat2, beta, alpha);

        /// <summary>beta * this + alpha * mat1 * mat2, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor addmm_(Tensor mat1, Tensor mat2, Scalar beta, Scalar alpha) => s_addmm_.Apply(this, mat1, mat2, beta, alpha);

        /// <summary>beta * this + alpha * batch1 * batch2 (matrix products of a batch).</summary>
        public Tensor baddbmm(Tensor batch1, Tensor batch2, Scalar beta, Scalar alpha)
            => s_baddbmm.Run(this, batch1, batch2, beta, alpha);

        /// <summary>beta * this + alpha * batch1 * batch2, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor baddbmm_(Tensor batch1, Tensor batch2, Scalar beta, Scalar alpha)
            => s_baddbmm_.Apply(this, batch1, batch2, beta, alpha);

        /// <summary>Kronecker product.</summary>
        public Tensor kron(Tensor other) => s_kron.Run(this, other);

        /// <summary>Inverse of square matrices.</summary>
        public Tensor inverse() => s_inverse.Run(this);

        /// <summary>Determinant of square matrices.</summary>
        public Tensor det() => s_det.Run(this);

        /// <summary>Sum of the diagonal of a matrix.</summary>
        public Tensor trace() => s_trace.Run(this);

        /// <summary>Cross product along a dimension of size 3.</summary>
        public Tensor cross(Tensor other, long dim) => s_cross.Run(this, other, dim);
    }
}
