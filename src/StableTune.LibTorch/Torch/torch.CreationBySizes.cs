namespace StableTune.LibTorch;

public static partial class torch
{

    /// <summary>Zeros, [d0], float32 unless told.</summary>
    public static Tensor zeros(long d0, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => zeros([d0], dtype, device, requires_grad);

    /// <summary>Zeros, [d0, d1], float32 unless told.</summary>
    public static Tensor zeros(long d0, long d1, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => zeros([d0, d1], dtype, device, requires_grad);

    /// <summary>Zeros, [d0, d1, d2], float32 unless told.</summary>
    public static Tensor zeros(long d0, long d1, long d2, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => zeros([d0, d1, d2], dtype, device, requires_grad);

    /// <summary>Zeros, [d0, d1, d2, d3], float32 unless told.</summary>
    public static Tensor zeros(long d0, long d1, long d2, long d3, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => zeros([d0, d1, d2, d3], dtype, device, requires_grad);

    /// <summary>Ones, [d0], float32 unless told.</summary>
    public static Tensor ones(long d0, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => ones([d0], dtype, device, requires_grad);

    /// <summary>Ones, [d0, d1], float32 unless told.</summary>
    public static Tensor ones(long d0, long d1, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => ones([d0, d1], dtype, device, requires_grad);

    /// <summary>Ones, [d0, d1, d2], float32 unless told.</summary>
    public static Tensor ones(long d0, long d1, long d2, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => ones([d0, d1, d2], dtype, device, requires_grad);

    /// <summary>Ones, [d0, d1, d2, d3], float32 unless told.</summary>
    public static Tensor ones(long d0, long d1, long d2, long d3, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => ones([d0, d1, d2, d3], dtype, device, requires_grad);

    /// <summary>Uninitialised memory, [d0], float32 unless told.</summary>
    public static Tensor empty(long d0, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => empty([d0], dtype, device, requires_grad);

    /// <summary>Uninitialised memory, [d0, d1], float32 unless told.</summary>
    public static Tensor empty(long d0, long d1, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => empty([d0, d1], dtype, device, requires_grad);

    /// <summary>Uninitialised memory, [d0, d1, d2], float32 unless told.</summary>
    public static Tensor empty(long d0, long d1, long d2, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => empty([d0, d1, d2], dtype, device, requires_grad);

    /// <summary>Uninitialised memory, [d0, d1, d2, d3], float32 unless told.</summary>
    public static Tensor empty(long d0, long d1, long d2, long d3, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => empty([d0, d1, d2, d3], dtype, device, requires_grad);

    /// <summary>Uniform draws from [0, 1), [d0], float32 unless told.</summary>
    public static Tensor rand(long d0, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null)
        => rand([d0], dtype, device, requires_grad, generator);

    /// <summary>Uniform draws from [0, 1), [d0, d1], float32 unless told.</summary>
    public static Tensor rand(long d0, long d1, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null)
        => rand([d0, d1], dtype, device, requires_grad, generator);

    /// <summary>Uniform draws from [0, 1), [d0, d1, d2], float32 unless told.</summary>
    public static Tensor rand(long d0, long d1, long d2, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null)
        => rand([d0, d1, d2], dtype, device, requires_grad, generator);

    /// <summary>Uniform draws from [0, 1), [d0, d1, d2, d3], float32 unless told.</summary>
    public static Tensor rand(long d0, long d1, long d2, long d3, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null)
        => rand([d0, d1, d2, d3], dtype, device, requires_grad, generator);

    /// <summary>Draws from the standard normal distribution, [d0], float32 unless told.</summary>
    public static Tensor randn(long d0, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null)
        => randn([d0], dtype, device, requires_grad, generator);

    /// <summary>Draws from the standard normal distribution, [d0, d1], float32 unless told.</summary>
    public static Tensor randn(long d0, long d1, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null)
        => randn([d0, d1], dtype, device, requires_grad, generator);

    /// <summary>Draws from the standard normal distribution, [d0, d1, d2], float32 unless told.</summary>
    public static Tensor randn(long d0, long d1, long d2, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null)
        => randn([d0, d1, d2], dtype, device, requires_grad, generator);

    /// <summary>Draws from the standard normal distribution, [d0, d1, d2, d3], float32 unless told.</summary>
    public static Tensor randn(long d0, long d1, long d2, long d3, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null)
        => randn([d0, d1, d2, d3], dtype, device, requires_grad, generator);
}
