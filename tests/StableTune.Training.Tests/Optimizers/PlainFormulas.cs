using StableTune.Optimizers;

namespace StableTune.Training.Tests;

/// <summary>The papers' formulas, number by number in double precision.</summary>
internal static class PlainFormulas
{
    public static void AdEMAMix(AdEMAMixOptions o, PlainParameter p, double[] g, int t, double lr)
    {
        var (m1, m2, v) = (p["m1"], p["m2"], p["v"]);
        var alpha = Math.Min(t * o.Alpha / o.TAlpha!.Value, o.Alpha);
        var (l1, l3, share) = (Math.Log(o.Beta1), Math.Log(o.Beta3), (double)t / o.TBeta3!.Value);
        var beta3 = Math.Min(Math.Exp(l1 * l3 / (((1 - share) * l3) + (share * l1))), o.Beta3);
        if (share > 1) beta3 = o.Beta3;
        for (var i = 0; i < p.Count; i++)
        {
            m1[i] = (o.Beta1 * m1[i]) + ((1 - o.Beta1) * g[i]);
            m2[i] = (beta3 * m2[i]) + ((1 - beta3) * g[i]);
            v[i] = (o.Beta2 * v[i]) + ((1 - o.Beta2) * g[i] * g[i]);
            var (mHat, vHat) = (m1[i] / (1 - Math.Pow(o.Beta1, t)), v[i] / (1 - Math.Pow(o.Beta2, t)));
            p.W[i] *= 1 - (lr * o.WeightDecay);
            p.W[i] -= lr * (mHat + (alpha * m2[i])) / (Math.Sqrt(vHat) + o.Epsilon);
        }
    }

    public static void ADOPT(ADOPTOptions o, PlainParameter p, double[] g, int t, double lr)
    {
        var (m, v) = (p["m"], p["v"]);
        for (var i = 0; i < p.Count; i++)
        {
            var x = o.Decouple ? g[i] : g[i] + (o.WeightDecay * p.W[i]);
            if (t > 1)
            {
                var limit = Math.Pow(t - 1, 0.25);
                m[i] = (o.Beta1 * m[i]) + ((1 - o.Beta1) * Math.Clamp(x / Math.Max(Math.Sqrt(v[i]), o.Epsilon), -limit, limit));
                if (o.Decouple) p.W[i] -= lr * o.WeightDecay * p.W[i];
                p.W[i] -= lr * m[i];
            }

            v[i] = t == 1 ? x * x : (o.Beta2 * v[i]) + ((1 - o.Beta2) * x * x);
        }
    }

    public static void Adan(AdanOptions o, PlainParameter p, double[] g, int t, double lr)
    {
        var (m, d, n, old) = (p["m"], p["d"], p["n"], p["old"]);
        for (var i = 0; i < p.Count; i++)
        {
            var difference = t == 1 ? 0 : g[i] - old[i];
            m[i] = (o.Beta1 * m[i]) + ((1 - o.Beta1) * g[i]);
            d[i] = (o.Beta2 * d[i]) + ((1 - o.Beta2) * difference);
            n[i] = (o.Beta3 * n[i]) + ((1 - o.Beta3) * Math.Pow(g[i] + (o.Beta2 * difference), 2));
            var rate = lr / (Math.Sqrt(n[i] / (1 - Math.Pow(o.Beta3, t))) + o.Epsilon);
            var step = rate * ((m[i] / (1 - Math.Pow(o.Beta1, t))) + (o.Beta2 * d[i] / (1 - Math.Pow(o.Beta2, t))));
            p.W[i] = o.NoProx ? (p.W[i] * (1 - (lr * o.WeightDecay))) - step : (p.W[i] - step) / (1 + (lr * o.WeightDecay));
            old[i] = g[i];
        }
    }

    public static void StableAdamW(StableAdamWOptions o, PlainParameter p, double[] g, int t, double lr)
    {
        var (v, u) = (p["v"], p["u"]);
        double Debiased(double beta) => beta * (1 - Math.Pow(beta, t - 1)) / (1 - Math.Pow(beta, t));
        var (b1, b2) = (Debiased(o.Beta1), Debiased(o.Beta2));
        for (var i = 0; i < p.Count; i++)
        {
            v[i] = (b1 * v[i]) + ((1 - b1) * g[i]);
            u[i] = (b2 * u[i]) + ((1 - b2) * g[i] * g[i]);
        }

        var rms = Math.Sqrt(g.Select((x, i) => x * x / Math.Max(u[i], o.Epsilon * o.Epsilon)).Average());
        var eta = lr / Math.Max(1, rms);
        for (var i = 0; i < p.Count; i++)
            p.W[i] = p.W[i] - (eta * o.WeightDecay * p.W[i]) - (eta * v[i] / (Math.Sqrt(u[i]) + o.Epsilon));
    }

    public static void CAME(CAMEOptions o, PlainParameter p, double[] g, int t, double lr)
    {
        var (m, u) = (p["m"], Normalized(p, g, o.Beta2, o.Epsilon.Squares, o.ClipThreshold));
        for (var i = 0; i < p.Count; i++) m[i] = (o.Beta1 * m[i]) + ((1 - o.Beta1) * u[i]);
        var trust = p.Rank < 2 ? [.. Enumerable.Repeat(1.0, p.Count)] : p.FactoredInverseRoot("s",
            [.. u.Select((x, i) => Math.Pow(x - m[i], 2) + o.Epsilon.Distances)], o.Beta3);
        for (var i = 0; i < p.Count; i++) p.W[i] = (p.W[i] * (1 - (lr * o.WeightDecay))) - (lr * m[i] * trust[i]);
    }

    public static void Automagic(AutomagicOptions o, PlainParameter p, double[] g, int t, double lr)
    {
        var (rates, signs, u) = (p["rates"], p["signs"], Normalized(p, g, o.Beta2, o.Epsilon, o.ClipThreshold));
        for (var i = 0; i < p.Count; i++)
        {
            var sign = u[i] > 0 ? 1 : 0;
            rates[i] = Math.Clamp((t == 1 ? lr : rates[i]) + (sign == signs[i] ? o.LrBump : -o.LrBump), o.MinLr, o.MaxLr);
            signs[i] = sign;
            p.W[i] -= rates[i] * (u[i] + (o.WeightDecay * p.W[i]));
        }
    }

    public static void Muon(MuonOptions o, PlainParameter p, double[] g, int t, double lr)
    {
        var (b, v) = (p["b"], p["v"]);
        for (var i = 0; i < p.Count; i++) p.W[i] *= 1 - (lr * o.WeightDecay);
        if (p.Rank < 2)
        {
            for (var i = 0; i < p.Count; i++)
            {
                b[i] = (o.Beta1 * b[i]) + ((1 - o.Beta1) * g[i]);
                v[i] = (o.Beta2 * v[i]) + ((1 - o.Beta2) * g[i] * g[i]);
                p.W[i] -= lr * b[i] / (1 - Math.Pow(o.Beta1, t)) / (Math.Sqrt(v[i] / (1 - Math.Pow(o.Beta2, t))) + o.Epsilon);
            }

            return;
        }

        for (var i = 0; i < p.Count; i++) b[i] = (o.Momentum * b[i]) + ((1 - o.Momentum) * g[i]);
        var (rows, columns) = p.Flat;
        var x = new double[rows, columns];
        for (var i = 0; i < p.Count; i++)
            x[i / columns, i % columns] = o.Nesterov ? ((1 - o.Momentum) * g[i]) + (o.Momentum * b[i]) : b[i];
        x = Orthogonal(x, o.NsSteps);
        var scale = o.AdjustLrFn == MuonScale.Original ? Math.Sqrt(Math.Max(1, (double)rows / columns))
            : 0.2 * Math.Sqrt(Math.Max(rows, columns));
        for (var i = 0; i < p.Count; i++) p.W[i] -= lr * scale * x[i / columns, i % columns];
    }

    /// <summary>AdaFactor's update: divided by the root of the mean square, and clipped.</summary>
    private static double[] Normalized(PlainParameter p, double[] g, double beta, double epsilon, double threshold)
    {
        double[] squares = [.. g.Select(x => (x * x) + epsilon)], u;
        if (p.Rank < 2)
        {
            var v = p["v"];
            for (var i = 0; i < p.Count; i++) v[i] = (beta * v[i]) + ((1 - beta) * squares[i]);
            u = [.. g.Select((x, i) => x / Math.Sqrt(v[i]))];
        }
        else u = [.. p.FactoredInverseRoot("v", squares, beta).Select((x, i) => x * g[i])];

        var clip = Math.Max(1, PlainParameter.RootMeanSquare(u) / threshold);
        return [.. u.Select(x => x / clip)];
    }

    private static double[,] Orthogonal(double[,] x, int iterations)
    {
        var norm = Math.Sqrt(x.Cast<double>().Sum(value => value * value)) + 1e-7;
        x = Map(x, (i, j) => x[i, j] / norm);
        for (var k = 0; k < iterations; k++)
        {
            var square = Product(x, Transposed(x));
            var fourth = Product(square, square);
            var factor = Map(square, (i, j) => (-4.7750 * square[i, j]) + (2.0315 * fourth[i, j]));
            var (last, change) = (x, Product(factor, x));
            x = Map(last, (i, j) => (3.4445 * last[i, j]) + change[i, j]);
        }

        return x;
    }

    private static double[,] Map(double[,] like, Func<int, int, double> value)
    {
        var result = new double[like.GetLength(0), like.GetLength(1)];
        for (var i = 0; i < result.GetLength(0); i++)
            for (var j = 0; j < result.GetLength(1); j++) result[i, j] = value(i, j);
        return result;
    }

    private static double[,] Transposed(double[,] x) => Map(new double[x.GetLength(1), x.GetLength(0)], (i, j) => x[j, i]);

    private static double[,] Product(double[,] a, double[,] b) => Map(new double[a.GetLength(0), b.GetLength(1)],
        (i, j) => Enumerable.Range(0, a.GetLength(1)).Sum(k => a[i, k] * b[k, j]));
}
