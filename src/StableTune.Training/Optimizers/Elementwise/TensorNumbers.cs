namespace StableTune.Optimizers;

/// <summary>The numbers of a tensor, float32. Each operation makes a new tensor in the present dispose scope.</summary>
internal readonly struct TensorNumbers(Tensor values) : INumbers<TensorNumbers>
{
    public Tensor Values { get; } = values;

    public static TensorNumbers operator +(TensorNumbers a, TensorNumbers b) => new(a.Values + b.Values);

    public static TensorNumbers operator -(TensorNumbers a, TensorNumbers b) => new(a.Values - b.Values);

    public static TensorNumbers operator *(TensorNumbers a, TensorNumbers b) => new(a.Values * b.Values);

    public static TensorNumbers operator /(TensorNumbers a, TensorNumbers b) => new(a.Values / b.Values);

    public static TensorNumbers operator +(TensorNumbers a, float b) => new(a.Values + b);

    public static TensorNumbers operator *(TensorNumbers a, float b) => new(a.Values * b);

    public static TensorNumbers operator /(TensorNumbers a, float b) => new(a.Values / b);

    public static TensorNumbers Of(float value, TensorNumbers like) => new(full([], value, ScalarType.Float32, like.Values.device));

    public static TensorNumbers NanToZero(TensorNumbers a) => new(a.Values.nan_to_num(0));

    public static TensorNumbers Zero(TensorNumbers like) => new(zeros_like(like.Values));

    public static TensorNumbers Sqrt(TensorNumbers a) => new(a.Values.sqrt());

    public static TensorNumbers Abs(TensorNumbers a) => new(a.Values.abs());

    public static TensorNumbers Sign(TensorNumbers a) => new(a.Values.sign());

    public static TensorNumbers Max(TensorNumbers a, TensorNumbers b) => new(a.Values.maximum(b.Values));

    public static TensorNumbers Clamp(TensorNumbers a, float least, float most) => new(a.Values.clamp(least, most));

    public static TensorNumbers Lerp(TensorNumbers a, TensorNumbers b, float share) => new(a.Values.lerp(b.Values, share));
}
