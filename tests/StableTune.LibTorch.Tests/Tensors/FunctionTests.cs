namespace StableTune.LibTorch.Tests;

public sealed class FunctionTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    private static readonly (string Name, Func<Tensor, Tensor> Torch, Func<Tensor, Tensor> InPlace, Func<double, double> Expected)[] s_functions =
    [
        ("sqrt", x => x.sqrt(), x => x.sqrt_(), Math.Sqrt),
        ("rsqrt", x => x.rsqrt(), x => x.rsqrt_(), x => 1 / Math.Sqrt(x)),
        ("square", x => x.square(), x => x.square_(), x => x * x),
        ("exp", x => x.exp(), x => x.exp_(), Math.Exp),
        ("expm1", x => x.expm1(), x => x.expm1_(), x => Math.Exp(x) - 1),
        ("log", x => x.log(), x => x.log_(), Math.Log),
        ("log1p", x => x.log1p(), x => x.log1p_(), x => Math.Log(1 + x)),
        ("log2", x => x.log2(), x => x.log2_(), Math.Log2),
        ("log10", x => x.log10(), x => x.log10_(), Math.Log10),
        ("sin", x => x.sin(), x => x.sin_(), Math.Sin),
        ("cos", x => x.cos(), x => x.cos_(), Math.Cos),
        ("tan", x => x.tan(), x => x.tan_(), Math.Tan),
        ("asin", x => x.asin(), x => x.asin_(), Math.Asin),
        ("acos", x => x.acos(), x => x.acos_(), Math.Acos),
        ("atan", x => x.atan(), x => x.atan_(), Math.Atan),
        ("sinh", x => x.sinh(), x => x.sinh_(), Math.Sinh),
        ("cosh", x => x.cosh(), x => x.cosh_(), Math.Cosh),
        ("tanh", x => x.tanh(), x => x.tanh_(), Math.Tanh),
        ("abs", x => x.abs(), x => x.abs_(), Math.Abs),
        ("neg", x => x.neg(), x => x.neg_(), x => -x),
        ("reciprocal", x => x.reciprocal(), x => x.reciprocal_(), x => 1 / x),
        ("sigmoid", x => x.sigmoid(), x => x.sigmoid_(), x => 1 / (1 + Math.Exp(-x))),
        ("relu", x => x.relu(), x => x.relu_(), x => Math.Max(x, 0)),
        ("silu", x => x.silu(), x => x.silu_(), x => x / (1 + Math.Exp(-x))),
    ];

    public static TheoryData<string> Names
    {
        get
        {
            var names = new TheoryData<string>();
            foreach (var function in s_functions) names.Add(function.Name);
            return names;
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Function_EqualsTheMathematicalOne_AndItsGradientTheDifferences(string name)
    {
        var function = s_functions.Single(entry => entry.Name == name);
        double[] points = [0.15, 0.4, 0.83];   // inside the domain of all of them
        var x = tensor(points);
        var expected = Array.ConvertAll(points, point => function.Expected(point));
        Close.To(function.Torch(x), expected, 1e-12);
        Close.To(function.InPlace(x.clone()), expected, 1e-12);
        GradientCheck.Of(t => function.Torch(t[0]), x);
    }

    [Fact]
    public void Rounding_Functions_Round()
    {
        var x = tensor(new[] { -1.5, 0.5, 2.5, 2.7 });
        Close.To(x.floor(), [-2, 0, 2, 2]);
        Close.To(x.ceil(), [-1, 1, 3, 3]);
        Close.To(x.round(), [-2, 0, 2, 3]);
        Close.To(x.trunc(), [-1, 0, 2, 2]);
        Close.To(x.frac(), [-0.5, 0.5, 0.5, 0.7]);
        Close.To(x.sign(), [-1, 1, 1, 1]);
    }

    [Fact]
    public void Erf_AtKnownPoints()
    {
        var x = tensor(new[] { 0.0, 1.0 });
        Close.To(x.erf(), [0, 0.842700792949715], 1e-12);   // tables of the error function
        Close.To(x.erfc(), [1, 0.157299207050285], 1e-12);
        Close.To(x.gelu(), [0, 0.5 * (1 + 0.682689492137086)], 1e-12);   // P(|z| < 1)
    }

    [Fact]
    public void Softmax_SumsToOne_AndHasTheRightGradient()
    {
        var x = tensor(new[] { 1.0, 2.0, 3.0, -1.0, 0.0, 5.0 }, [2, 3]);
        var soft = x.softmax(1);
        Close.To(soft.sum(1), [1, 1], 1e-12);
        var total = Math.E + Math.Exp(2) + Math.Exp(3);
        Close.To(soft[0], [Math.E / total, Math.Exp(2) / total, Math.Exp(3) / total], 1e-12);
        Close.To(x.log_softmax(1), soft.log(), 1e-12);
        GradientCheck.Of(t => t[0].softmax(1), x);
        GradientCheck.Of(t => t[0].softmax(0), x);
        GradientCheck.Of(t => t[0].logsigmoid(), x);
    }

    [Fact]
    public void Softmax_WithADtype_ComputesInIt()
        => Assert.Equal(float32, ones(2, dtype: bfloat16).softmax(0, float32).dtype);
}
