namespace StableTune.Adapters;

/// <summary>Cayley's rotation R = (I + S)(I − S)⁻¹ of skew matrices S, [..., size, size].</summary>
/// <remarks>Everything is R − I = 2 (I − S)⁻¹ S, which keeps the precision of small rotations.</remarks>
internal static class CayleyRotation
{
    // From this size on one system after the other is solved, each with every thread. Handing several to threads of one each is slower, and
    // MKL's factorization failed so with four of 2560 ("Parameter 6 was incorrect on entry to SLASWP", MKL of libtorch 2.10).
    private const long Large = 256;

    /// <summary>R − I, in the shape of S.</summary>
    public static Tensor Change(Tensor skew) => Solve(skew, skew, -1) * 2;

    /// <summary>(Rᵀ − I) X, for X [P, blocks, size, positions] and S [blocks, size, size]; computed in the type of X.</summary>
    public static Tensor Turn(Tensor skew, Tensor rows)
    {
        // With fewer columns than the matrix has, solving for them costs less than making R.
        var (batch, columns) = (rows.shape[0], rows.shape[0] * rows.shape[3]);
        if (columns >= skew.shape[^1]) return Change(skew).transpose(-1, -2).to(rows.dtype).matmul(rows);
        using var scope = NewDisposeScope();
        var flat = rows.permute(1, 2, 0, 3).flatten(2).to(skew.dtype);
        var turned = Solve(skew, skew.matmul(flat), 1) * -2;
        return turned.unflatten(2, [batch, rows.shape[3]]).permute(2, 0, 1, 3).to(rows.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>(I + sign·S)⁻¹ of the right sides.</summary>
    private static Tensor Solve(Tensor skew, Tensor right, int sign)
    {
        using var scope = NewDisposeScope();
        var matrix = eye(skew.shape[^1], dtype: skew.dtype, device: skew.device).add(skew, alpha: sign);
        var solved = matrix.dim() == 3 && matrix.shape[^1] >= Large
            ? stack([.. matrix.unbind().Zip(right.unbind(), (a, b) => linalg.solve(a, b))])
            : linalg.solve(matrix, right);
        return solved.MoveToOuterDisposeScope();
    }
}
