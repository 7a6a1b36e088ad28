namespace StableTune.LibTorch;

public static partial class torch
{

    /// <summary>Square root, of every element.</summary>
    public static Tensor sqrt(Tensor input) => input.sqrt();

    /// <summary>One over the square root, of every element.</summary>
    public static Tensor rsqrt(Tensor input) => input.rsqrt();

    /// <summary>Square, of every element.</summary>
    public static Tensor square(Tensor input) => input.square();

    /// <summary>e to the power, of every element.</summary>
    public static Tensor exp(Tensor input) => input.exp();

    /// <summary>e to the power, minus 1, exact near 0, of every element.</summary>
    public static Tensor expm1(Tensor input) => input.expm1();

    /// <summary>Natural logarithm, of every element.</summary>
    public static Tensor log(Tensor input) => input.log();

    /// <summary>Natural logarithm of 1 plus, of every element.</summary>
    public static Tensor log1p(Tensor input) => input.log1p();

    /// <summary>Logarithm to base 2, of every element.</summary>
    public static Tensor log2(Tensor input) => input.log2();

    /// <summary>Logarithm to base 10, of every element.</summary>
    public static Tensor log10(Tensor input) => input.log10();

    /// <summary>Sine, radians, of every element.</summary>
    public static Tensor sin(Tensor input) => input.sin();

    /// <summary>Cosine, radians, of every element.</summary>
    public static Tensor cos(Tensor input) => input.cos();

    /// <summary>Tangent, radians, of every element.</summary>
    public static Tensor tan(Tensor input) => input.tan();

    /// <summary>Arc sine, radians, of every element.</summary>
    public static Tensor asin(Tensor input) => input.asin();

    /// <summary>Arc cosine, radians, of every element.</summary>
    public static Tensor acos(Tensor input) => input.acos();

    /// <summary>Arc tangent, radians, of every element.</summary>
    public static Tensor atan(Tensor input) => input.atan();

    /// <summary>Hyperbolic sine, of every element.</summary>
    public static Tensor sinh(Tensor input) => input.sinh();

    /// <summary>Hyperbolic cosine, of every element.</summary>
    public static Tensor cosh(Tensor input) => input.cosh();

    /// <summary>Hyperbolic tangent, of every element.</summary>
    public static Tensor tanh(Tensor input) => input.tanh();

    /// <summary>Absolute value, of every element.</summary>
    public static Tensor abs(Tensor input) => input.abs();

    /// <summary>Negative, of every element.</summary>
    public static Tensor neg(Tensor input) => input.neg();

    /// <summary>-1, 0 or 1 by the sign, of every element.</summary>
    public static Tensor sign(Tensor input) => input.sign();

    /// <summary>One over, of every element.</summary>
    public static Tensor reciprocal(Tensor input) => input.reciprocal();

    /// <summary>Rounded down, of every element.</summary>
    public static Tensor floor(Tensor input) => input.floor();

    /// <summary>Rounded up, of every element.</summary>
    public static Tensor ceil(Tensor input) => input.ceil();

    /// <summary>Rounded to the nearest, halves to even, of every element.</summary>
    public static Tensor round(Tensor input) => input.round();

    /// <summary>Rounded towards 0, of every element.</summary>
    public static Tensor trunc(Tensor input) => input.trunc();

    /// <summary>What follows the point, of every element.</summary>
    public static Tensor frac(Tensor input) => input.frac();

    /// <summary>1 / (1 + exp(-x)), of every element.</summary>
    public static Tensor sigmoid(Tensor input) => input.sigmoid();

    /// <summary>max(x, 0), of every element.</summary>
    public static Tensor relu(Tensor input) => input.relu();

    /// <summary>Error function, of every element.</summary>
    public static Tensor erf(Tensor input) => input.erf();

    /// <summary>One minus the error function, of every element.</summary>
    public static Tensor erfc(Tensor input) => input.erfc();

    /// <summary>Sum, element by element, broadcast.</summary>
    public static Tensor add(Tensor left, Tensor right) => left.add(right);

    /// <summary>Sum, each element with one number.</summary>
    public static Tensor add(Tensor left, Scalar right) => left.add(right);

    /// <summary>Difference, element by element, broadcast.</summary>
    public static Tensor sub(Tensor left, Tensor right) => left.sub(right);

    /// <summary>Difference, each element with one number.</summary>
    public static Tensor sub(Tensor left, Scalar right) => left.sub(right);

    /// <summary>Product, element by element, broadcast.</summary>
    public static Tensor mul(Tensor left, Tensor right) => left.mul(right);

    /// <summary>Product, each element with one number.</summary>
    public static Tensor mul(Tensor left, Scalar right) => left.mul(right);

    /// <summary>Quotient, element by element, broadcast.</summary>
    public static Tensor div(Tensor left, Tensor right) => left.div(right);

    /// <summary>Quotient, each element with one number.</summary>
    public static Tensor div(Tensor left, Scalar right) => left.div(right);

    /// <summary>Equal, element by element, broadcast.</summary>
    public static Tensor eq(Tensor left, Tensor right) => left.eq(right);

    /// <summary>Equal, each element with one number.</summary>
    public static Tensor eq(Tensor left, Scalar right) => left.eq(right);

    /// <summary>Not equal, element by element, broadcast.</summary>
    public static Tensor ne(Tensor left, Tensor right) => left.ne(right);

    /// <summary>Not equal, each element with one number.</summary>
    public static Tensor ne(Tensor left, Scalar right) => left.ne(right);

    /// <summary>Less, element by element, broadcast.</summary>
    public static Tensor lt(Tensor left, Tensor right) => left.lt(right);

    /// <summary>Less, each element with one number.</summary>
    public static Tensor lt(Tensor left, Scalar right) => left.lt(right);

    /// <summary>Less or equal, element by element, broadcast.</summary>
    public static Tensor le(Tensor left, Tensor right) => left.le(right);

    /// <summary>Less or equal, each element with one number.</summary>
    public static Tensor le(Tensor left, Scalar right) => left.le(right);

    /// <summary>Greater, element by element, broadcast.</summary>
    public static Tensor gt(Tensor left, Tensor right) => left.gt(right);

    /// <summary>Greater, each element with one number.</summary>
    public static Tensor gt(Tensor left, Scalar right) => left.gt(right);

    /// <summary>Greater or equal, element by element, broadcast.</summary>
    public static Tensor ge(Tensor left, Tensor right) => left.ge(right);

    /// <summary>Greater or equal, each element with one number.</summary>
    public static Tensor ge(Tensor left, Scalar right) => left.ge(right);

    /// <summary>Power with one exponent.</summary>
    public static Tensor pow(Tensor input, Scalar exponent) => input.pow(exponent);

    /// <summary>Power, element by element.</summary>
    public static Tensor pow(Tensor input, Tensor exponent) => input.pow(exponent);

    /// <summary>Matrix product; leading dimensions broadcast.</summary>
    public static Tensor matmul(Tensor left, Tensor right) => left.matmul(right);

    /// <summary>Matrix product, [n, k] by [k, m].</summary>
    public static Tensor mm(Tensor left, Tensor right) => left.mm(right);

    /// <summary>Matrix products of a batch, [B, n, k] by [B, k, m].</summary>
    public static Tensor bmm(Tensor left, Tensor right) => left.bmm(right);

    /// <summary>Outer product of two vectors.</summary>
    public static Tensor outer(Tensor left, Tensor right) => left.outer(right);

    /// <summary>Kronecker product.</summary>
    public static Tensor kron(Tensor left, Tensor right) => left.kron(right);

    /// <summary>beta * input + alpha * mat1 * mat2.</summary>
    public static Tensor addmm(Tensor input, Tensor mat1, Tensor mat2, Scalar beta, Scalar alpha)
        => input.addmm(mat1, mat2, beta, alpha);

    /// <summary>beta * input + alpha * batch1 * batch2.</summary>
    public static Tensor baddbmm(Tensor input, Tensor batch1, Tensor batch2, Scalar beta, Scalar alpha)
        => input.baddbmm(batch1, batch2, beta, alpha);

    /// <summary>The larger of both, element by element.</summary>
    public static Tensor maximum(Tensor left, Tensor right) => left.maximum(right);

    /// <summary>The smaller of both, element by element.</summary>
    public static Tensor minimum(Tensor left, Tensor right) => left.minimum(right);

    /// <summary>Every element moved into [min, max].</summary>
    public static Tensor clamp(Tensor input, Scalar? min = null, Scalar? max = null) => input.clamp(min, max);

    /// <summary>input + weight * (end - input).</summary>
    public static Tensor lerp(Tensor input, Tensor end, Scalar weight) => input.lerp(end, weight);

    /// <summary>input + weight * (end - input), broadcast.</summary>
    public static Tensor lerp(Tensor input, Tensor end, Tensor weight) => input.lerp(end, weight);

    /// <summary>Angle of the point (right, left), in radians.</summary>
    public static Tensor atan2(Tensor left, Tensor right) => left.atan2(right);

    /// <summary>exp(x) divided by its sum along a dimension.</summary>
    public static Tensor softmax(Tensor input, long dim, ScalarType? dtype = null) => input.softmax(dim, dtype);

    /// <summary>Sum of all elements.</summary>
    public static Tensor sum(Tensor input, ScalarType? type = null) => input.sum(type);

    /// <summary>Sum along a dimension.</summary>
    public static Tensor sum(Tensor input, int dim, bool keepdim = false, ScalarType? type = null) => input.sum(dim, keepdim, type);

    /// <summary>Sum along a dimension.</summary>
    public static Tensor sum(Tensor input, long dim, bool keepdim = false, ScalarType? type = null)
        => input.sum(dim, keepdim, type);

    /// <summary>Mean of all elements.</summary>
    public static Tensor mean(Tensor input) => input.mean();

    /// <summary>Mean along dimensions.</summary>
    public static Tensor mean(Tensor input, long[] dimensions, bool keepdim = false, ScalarType? type = null)
        => input.mean(dimensions, keepdim, type);

    /// <summary>Standard deviation of all elements.</summary>
    public static Tensor std(Tensor input, bool unbiased = true) => input.std(unbiased);

    /// <summary>Variance of all elements.</summary>
    public static Tensor var(Tensor input, bool unbiased = true) => input.var(unbiased);

    /// <summary>Largest element.</summary>
    public static Tensor max(Tensor input) => input.max();

    /// <summary>Largest elements along a dimension, and where they are.</summary>
    public static (Tensor values, Tensor indexes) max(Tensor input, long dim, bool keepdim = false) => input.max(dim, keepdim);

    /// <summary>Smallest element.</summary>
    public static Tensor min(Tensor input) => input.min();

    /// <summary>Smallest elements along a dimension, and where they are.</summary>
    public static (Tensor values, Tensor indexes) min(Tensor input, long dim, bool keepdim = false) => input.min(dim, keepdim);

    /// <summary>Where the largest elements are.</summary>
    public static Tensor argmax(Tensor input, long? dim = null, bool keepdim = false) => input.argmax(dim, keepdim);

    /// <summary>Where the smallest elements are.</summary>
    public static Tensor argmin(Tensor input, long? dim = null, bool keepdim = false) => input.argmin(dim, keepdim);

    /// <summary>The p-norm of all elements; 2 when not given.</summary>
    public static Tensor norm(Tensor input, Scalar? p = null) => input.norm(p);

    /// <summary>Running sum along a dimension.</summary>
    public static Tensor cumsum(Tensor input, long dim, ScalarType? type = null) => input.cumsum(dim, type);

    /// <summary>Running product along a dimension.</summary>
    public static Tensor cumprod(Tensor input, long dim, ScalarType? type = null) => input.cumprod(dim, type);

    /// <summary>Quantiles at q in [0, 1].</summary>
    public static Tensor quantile(Tensor input, Tensor q, long? dim = null, bool keepdim = false)
        => input.quantile(q, dim, keepdim);

    /// <summary>True when all elements are: bool scalar.</summary>
    public static Tensor all(Tensor input) => input.all();

    /// <summary>True when any element is: bool scalar.</summary>
    public static Tensor any(Tensor input) => input.any();

    /// <summary>True when every |input - target| is at most atol + rtol * |target|.</summary>
    public static bool allclose(Tensor input, Tensor target, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false)
        => input.allclose(target, rtol, atol, equal_nan);

    /// <summary>True when shapes and all elements are equal.</summary>
    public static bool equal(Tensor left, Tensor right) => left.equal(right);

    /// <summary>True where an element is not-a-number.</summary>
    public static Tensor isnan(Tensor input) => input.isnan();

    /// <summary>True where an element is infinite.</summary>
    public static Tensor isinf(Tensor input) => input.isinf();

    /// <summary>True where an element is finite.</summary>
    public static Tensor isfinite(Tensor input) => input.isfinite();

    /// <summary>True where an element is zero.</summary>
    public static Tensor logical_not(Tensor input) => input.logical_not();

    /// <summary>Both true.</summary>
    public static Tensor logical_and(Tensor left, Tensor right) => left.logical_and(right);

    /// <summary>Either true.</summary>
    public static Tensor logical_or(Tensor left, Tensor right) => left.logical_or(right);

    /// <summary>The lower triangle of matrices.</summary>
    public static Tensor tril(Tensor input, long diagonal = 0) => input.tril(diagonal);

    /// <summary>The upper triangle of matrices.</summary>
    public static Tensor triu(Tensor input, long diagonal = 0) => input.triu(diagonal);

    /// <summary>A vector as a diagonal matrix, or the diagonal of a matrix.</summary>
    public static Tensor diag(Tensor input, long diagonal = 0) => input.diag(diagonal);

    /// <summary>Dimensions reversed.</summary>
    public static Tensor flip(Tensor input, params long[] dims) => input.flip(dims);

    /// <summary>Two dimensions swapped (a view).</summary>
    public static Tensor transpose(Tensor input, long dim0, long dim1) => input.transpose(dim0, dim1);

    /// <summary>Dimensions in another order (a view).</summary>
    public static Tensor permute(Tensor input, params long[] permutation) => input.permute(permutation);

    /// <summary>Another shape.</summary>
    public static Tensor reshape(Tensor input, params long[] shape) => input.reshape(shape);

    /// <summary>Dimensions joined into one.</summary>
    public static Tensor flatten(Tensor input, long start_dim = 0, long end_dim = -1) => input.flatten(start_dim, end_dim);

    /// <summary>With a new dimension of size 1 (a view).</summary>
    public static Tensor unsqueeze(Tensor input, long dim) => input.unsqueeze(dim);

    /// <summary>Without dimensions of size 1 (a view).</summary>
    public static Tensor squeeze(Tensor input, long? dim = null) => input.squeeze(dim);

    /// <summary>Elements along a dimension by an index of the result's shape.</summary>
    public static Tensor gather(Tensor input, long dim, Tensor index) => input.gather(dim, index);

    /// <summary>Entries of a dimension by an index list.</summary>
    public static Tensor index_select(Tensor input, long dim, Tensor index) => input.index_select(dim, index);

    /// <summary>The elements where the mask is true.</summary>
    public static Tensor masked_select(Tensor input, Tensor mask) => input.masked_select(mask);

    /// <summary>About equal parts along a dimension (views).</summary>
    public static Tensor[] chunk(Tensor input, long chunks, long dim = 0) => input.chunk(chunks, dim);

    /// <summary>Parts of a size along a dimension (views).</summary>
    public static Tensor[] split(Tensor input, long split_size, long dim = 0) => input.split(split_size, dim);

    /// <summary>Sorted along a dimension, and where the elements were.</summary>
    public static (Tensor values, Tensor indexes) sort(Tensor input, long dim = -1, bool descending = false)
        => input.sort(dim, descending);

    /// <summary>The k largest along a dimension.</summary>
    public static (Tensor values, Tensor indexes) topk(Tensor input, long k, long dim = -1, bool largest = true, bool sorted = true)
        => input.topk(k, dim, largest, sorted);

    /// <summary>Every element repeated along a dimension.</summary>
    public static Tensor repeat_interleave(Tensor input, long repeats, long? dim = null) => input.repeat_interleave(repeats, dim);
}
