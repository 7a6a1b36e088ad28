namespace StableTune.LibTorch;

public static partial class torch
{
    private static readonly Operator s_zeros = new("zeros");
    private static readonly Operator s_ones = new("ones");
    private static readonly Operator s_empty_memory_format = new("empty", "memory_format");
    private static readonly Operator s_full = new("full");
    private static readonly Operator s_rand_generator = new("rand", "generator");
    private static readonly Operator s_randn_generator = new("randn", "generator");
    private static readonly Operator s_randint_low_generator = new("randint", "low_generator");
    private static readonly Operator s_randperm_generator = new("randperm", "generator");
    private static readonly Operator s_arange = new("arange");
    private static readonly Operator s_arange_start = new("arange", "start");
    private static readonly Operator s_arange_start_step = new("arange", "start_step");
    private static readonly Operator s_linspace = new("linspace");
    private static readonly Operator s_logspace = new("logspace");
    private static readonly Operator s_eye_m = new("eye", "m");
    private static readonly Operator s_bernoulli = new("bernoulli");
    private static readonly Operator s_normal_float_float = new("normal", "float_float");
    private static readonly Operator s_multinomial = new("multinomial");
    private static readonly Operator s_zeros_like = new("zeros_like");
    private static readonly Operator s_ones_like = new("ones_like");
    private static readonly Operator s_empty_like = new("empty_like");
    private static readonly Operator s_rand_like = new("rand_like");
    private static readonly Operator s_randn_like = new("randn_like");
    private static readonly Operator s_full_like = new("full_like");

    /// <summary>Zeros, float32 unless told.</summary>
    public static Tensor zeros(long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_zeros.Run(size, dtype, default, device), requires_grad);

    /// <summary>Ones, float32 unless told.</summary>
    public static Tensor ones(long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_ones.Run(size, dtype, default, device), requires_grad);

    /// <summary>Uninitialised memory, float32 unless told.</summary>
    public static Tensor empty(long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_empty_memory_format.Run(size, dtype, default, device), requires_grad);

    /// <summary>One number everywhere; its kind gives the dtype unless told.</summary>
    public static Tensor full(long[] size, Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_full.Run(size, value, dtype, default, device), requires_grad);

    /// <summary>Uniform draws from [0, 1), float32 unless told.</summary>
    public static Tensor rand(long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null)
        => Leaf(s_rand_generator.Run(size, generator, dtype, default, device), requires_grad);

    /// <summary>Draws from the standard normal distribution, float32 unless told.</summary>
    public static Tensor randn(long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null)
        => Leaf(s_randn_generator.Run(size, generator, dtype, default, device), requires_grad);

    /// <summary>Draws from the integers of [low, high), int64 unless told.</summary>
    public static Tensor randint(long low, long high, long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null)
        => Leaf(s_randint_low_generator.Run(low, high, size, generator, dtype ?? ScalarType.Int64, default, device), requires_grad);

    /// <summary>Draws from the integers of [0, high), int64 unless told.</summary>
    public static Tensor randint(long high, long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null)
        => randint(0, high, size, dtype, device, requires_grad, generator);

    /// <summary>The integers of [0, n) in random order, int64 unless told.</summary>
    public static Tensor randperm(long n, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null)
        => Leaf(s_randperm_generator.Run(n, generator, dtype ?? ScalarType.Int64, default, device), requires_grad);

    /// <summary>0, 1, ... below stop; int64 for integers, float32 otherwise, unless told.</summary>
    public static Tensor arange(Scalar stop, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_arange.Run(stop, dtype, default, device), requires_grad);

    /// <summary>start, start + 1, ... below stop.</summary>
    public static Tensor arange(Scalar start, Scalar stop, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_arange_start.Run(start, stop, dtype, default, device), requires_grad);

    /// <summary>start, start + step, ... below stop.</summary>
    public static Tensor arange(Scalar start, Scalar stop, Scalar step, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_arange_start_step.Run(start, stop, step, dtype, default, device), requires_grad);

    /// <summary>Evenly spaced numbers from start to end, both included, [steps].</summary>
    public static Tensor linspace(Scalar start, Scalar end, long steps, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_linspace.Run(start, end, steps, dtype, default, device), requires_grad);

    /// <summary>base to the power of evenly spaced numbers, [steps].</summary>
    public static Tensor logspace(Scalar start, Scalar end, long steps, double @base = 10, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_logspace.Run(start, end, steps, @base, dtype, default, device), requires_grad);

    /// <summary>Ones on the diagonal, [rows, columns]; square when columns is not given.</summary>
    public static Tensor eye(long rows, long columns = -1, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_eye_m.Run(rows, columns < 0 ? rows : columns, dtype, default, device), requires_grad);

    /// <summary>1 with the probability that each element gives, else 0.</summary>
    public static Tensor bernoulli(Tensor input, Generator? generator = null) => s_bernoulli.Run(input, generator);

    /// <summary>Draws from a normal distribution.</summary>
    public static Tensor normal(double mean, double std, long[] size, Generator? generator = null, ScalarType? dtype = null, Device? device = null)
        => s_normal_float_float.Run(mean, std, size, generator, dtype, default, device);

    /// <summary>Indices drawn with the given weights, int64 [.., num_samples].</summary>
    public static Tensor multinomial(Tensor input, long num_samples, bool replacement = false, Generator? generator = null)
        => s_multinomial.Run(input, num_samples, replacement, generator);

    /// <summary>Zeros, with the shape, dtype and device of another tensor unless told.</summary>
    public static Tensor zeros_like(Tensor input, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_zeros_like.Run(input, dtype, default, device), requires_grad);

    /// <summary>Ones, with the shape, dtype and device of another tensor unless told.</summary>
    public static Tensor ones_like(Tensor input, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_ones_like.Run(input, dtype, default, device), requires_grad);

    /// <summary>Uninitialised memory, with the shape, dtype and device of another tensor unless told.</summary>
    public static Tensor empty_like(Tensor input, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_empty_like.Run(input, dtype, default, device), requires_grad);

    /// <summary>Uniform draws from [0, 1), with the shape, dtype and device of another tensor unless told.</summary>
    public static Tensor rand_like(Tensor input, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_rand_like.Run(input, dtype, default, device), requires_grad);

    /// <summary>Draws from the standard normal distribution, with the shape, dtype and device of another tensor unless told.</summary>
    public static Tensor randn_like(Tensor input, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_randn_like.Run(input, dtype, default, device), requires_grad);

    /// <summary>One number everywhere, with the shape, dtype and device of another tensor unless told.</summary>
    public static Tensor full_like(Tensor input, Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => Leaf(s_full_like.Run(input, value, dtype, default, device), requires_grad);
}
