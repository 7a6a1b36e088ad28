namespace StableTune.Models.Tests;

/// <summary>BERT, RoBERTa and LDMBert against a computation in plain loops, and what must hold for all three.</summary>
public sealed class MaskedTextModelTests : IDisposable
{
    private static readonly BertTextOptions Bert = BertTextOptions.Tiny with { Layers = 2 };

    private static readonly BertTextOptions Roberta =
        Bert with { PadTokenId = 1, PositionsFollowPadding = true, TypeVocabularySize = 1, LayerNormEps = 1e-5 };

    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    public static TheoryData<string> Kinds => ["bert", "roberta", "ldmbert"];

    [Theory]
    [InlineData("gelu")]
    [InlineData("gelu_new")]
    [InlineData("relu")]
    [InlineData("silu")]
    [InlineData("quick_gelu")]
    [InlineData("tanh")]
    public void HiddenState_Bert_AgreesWithPlainLoops(string activation) => AssertAgrees(Bert with { Activation = activation });

    [Fact]
    public void HiddenState_Roberta_AgreesWithPlainLoops() => AssertAgrees(Roberta);

    [Fact]
    public void HiddenState_BertOfOtherPadding_AgreesWithPlainLoops() => AssertAgrees(Bert with { PadTokenId = 7, LayerNormEps = 1e-3 });

    private static void AssertAgrees(BertTextOptions options)
    {
        using var model = Randomised(new BertTextModel(options));
        var plain = new PlainEncoders(model);
        AssertAgrees(model, (ids, mask, layers, _) => plain.Bert(ids, mask, options, layers));
    }

    [Fact]
    public void HiddenState_LdmBert_AgreesWithPlainLoops()
    {
        foreach (var activation in (string[])["gelu", "gelu_new"])
        {
            var options = LdmBertOptions.Tiny with { Activation = activation };
            using var model = Randomised(new LdmBertModel(options));
            var plain = new PlainEncoders(model);
            AssertAgrees(model, (ids, mask, layers, finalNorm) => plain.LdmBert(ids, mask, options, layers, finalNorm));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Backward_AgreesWithFiniteDifferences(string kind)
    {
        using var model = Create(kind);
        model.to(ScalarType.Float64);
        using var random = new Generator(3);
        var target = randn([2, 9, 48], dtype: ScalarType.Float64, generator: random);
        var mask = Texts(model.PadTokenId).ne(model.PadTokenId);
        Tensor Loss() => (model.HiddenState(Texts(model.PadTokenId), mask) * target).sum();

        Loss().backward();
        var (step, checkedSome) = (1e-5, 0);
        foreach (var (name, parameter) in model.named_parameters())
        {
            using var scope = NewDisposeScope();
            // The padding token's rows get no gradient, as in the reference; they are left out of the comparison.
            var direction = randn(parameter.shape, dtype: ScalarType.Float64, generator: random);
            if (IsTokenTable(name) || (kind == "roberta" && name == "embeddings.position_embeddings.weight"))
                using (no_grad()) direction[model.PadTokenId].zero_();
            if (parameter.grad is not { } gradient) continue;
            var analytic = (gradient * direction).sum().ToDouble();
            double At(double offset)
            {
                using var frozen = no_grad();
                parameter.add_(direction * offset);
                var loss = Loss().ToDouble();
                parameter.sub_(direction * offset);
                return loss;
            }

            var numeric = (At(step) - At(-step)) / (2 * step);
            Assert.True(Math.Abs(numeric - analytic) <= 1e-6 * (1 + Math.Abs(numeric)), $"{kind} {name}: {analytic} against {numeric}");
            checkedSome++;
        }

        Assert.Equal(model.named_parameters().Count(), checkedSome);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Backward_PaddingToken_GetsNoGradient(string kind)
    {
        using var model = Create(kind);
        model.call(Texts(model.PadTokenId)).pow(2).sum().backward();
        var gradient = model.TokenEmbedding.weight.grad!;
        Assert.Equal(0, gradient[model.PadTokenId].abs().max().ToDouble());
        Assert.True(gradient[11].abs().max().ToDouble() > 0);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Backward_Checkpointed_IsTheSame(string kind)
    {
        using var model = Create(kind);
        foreach (var mask in new[] { null, Texts(model.PadTokenId).ne(model.PadTokenId) })
        {
            var (plain, checkpointed) = (Gradients(false), Gradients(true));
            Assert.Equal(plain.Keys, checkpointed.Keys);
            foreach (var (name, gradient) in plain) Assert.Equal(0, (gradient - checkpointed[name]).abs().max().ToDouble());

            Dictionary<string, Tensor> Gradients(bool checkpointing)
            {
                model.GradientCheckpointing = checkpointing;
                model.zero_grad();
                model.HiddenState(Texts(model.PadTokenId), mask).pow(2).sum().backward();
                return model.named_parameters().Where(entry => entry.parameter.grad is not null)
                    .ToDictionary(entry => entry.name, entry => entry.parameter.grad!.clone());
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void HiddenState_UnderAMask_DoesNotDependOnWhatIsHidden(string kind)
    {
        using var frozen = no_grad();
        using var model = Create(kind);
        var ids = tensor(new long[] { 2, 11, 12, 13, 3, 40, 41, 42 }, [1, 8], dtype: ScalarType.Int64);
        var others = tensor(new long[] { 2, 11, 12, 13, 3, 90, 91, 92 }, [1, 8], dtype: ScalarType.Int64);
        var mask = tensor(new long[] { 1, 1, 1, 1, 1, 0, 0, 0 }, [1, 8], dtype: ScalarType.Int64);
        var (masked, otherMasked) = (model.HiddenState(ids, mask).narrow(1, 0, 5), model.HiddenState(others, mask).narrow(1, 0, 5));
        Assert.Equal(0, (masked - otherMasked).abs().max().ToDouble());
        // And so is the text alone.
        Assert.InRange((masked - model.HiddenState(ids.narrow(1, 0, 5))).abs().max().ToDouble(), 0, 1e-5);
        Assert.True((model.HiddenState(ids) - model.HiddenState(others)).narrow(1, 0, 5).abs().max().ToDouble() > 1e-2);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void UseAttentionMask_HidesPadding(string kind)
    {
        using var frozen = no_grad();
        using var model = Create(kind);
        var ids = Texts(model.PadTokenId);
        var (open, hidden) = (model.call(ids), model.HiddenState(ids, ids.ne(model.PadTokenId)));
        Assert.False(model.UseAttentionMask);
        model.UseAttentionMask = true;
        Assert.Equal(0, (model.call(ids) - hidden).abs().max().ToDouble());
        Assert.Equal(0, (model.HiddenState(ids, null) - open).abs().max().ToDouble());
        // The second text fills its row: nothing of it is hidden.
        Assert.InRange((open - hidden)[1].abs().max().ToDouble(), 0, 1e-5);
        Assert.True((open - hidden)[0].abs().max().ToDouble() > 1e-2);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void HiddenState_HalfTypes_StayFinite(string kind)
    {
        using var frozen = no_grad();
        using var model = Create(kind);
        model.to(ScalarType.BFloat16);
        model.UseAttentionMask = true;
        var ids = Texts(model.PadTokenId);
        Assert.True(model.call(ids).isfinite().all().ToBoolean());
        Assert.True(model.HiddenState(ids, zeros_like(ids)).isfinite().all().ToBoolean());   // hidden as a whole
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void HiddenState_OfABatch_IsThatOfEachText(string kind)
    {
        using var frozen = no_grad();
        using var model = Create(kind);
        model.UseAttentionMask = true;
        var ids = Texts(model.PadTokenId);
        var together = model.call(ids);
        for (var i = 0; i < 2; i++)
            Assert.InRange((together[i] - model.call(ids.narrow(0, i, 1))[0]).abs().max().ToDouble(), 0, 1e-5);
    }

    [Fact]
    public void HiddenState_Roberta_CountsPositionsOfTextOnly()
    {
        using var frozen = no_grad();
        using var model = Create("roberta");
        model.UseAttentionMask = true;
        // Padding before the text moves no position of it.
        var plain = model.call(tensor(new long[] { 0, 11, 12, 2 }, [1, 4], dtype: ScalarType.Int64));
        var shifted = model.call(tensor(new long[] { 1, 1, 0, 11, 12, 2 }, [1, 6], dtype: ScalarType.Int64));
        Assert.InRange((plain - shifted.narrow(1, 2, 4)).abs().max().ToDouble(), 0, 1e-5);
        Assert.Equal(98, model.MaxPositions);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void HiddenState_WrongArguments_Throw(string kind)
    {
        using var model = Create(kind);
        Assert.Throws<ArgumentException>(() => model.call(zeros(8, dtype: ScalarType.Int64)));
        Assert.Throws<ArgumentException>(() => model.call(zeros(1, model.MaxPositions + 1, dtype: ScalarType.Int64)));
        Assert.Throws<ArgumentException>(() => model.HiddenState(zeros(1, 8, dtype: ScalarType.Int64), ones(1, 7)));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.HiddenState(zeros(1, 8, dtype: ScalarType.Int64), clipSkip: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            model.HiddenState(zeros(1, 8, dtype: ScalarType.Int64), clipSkip: model.Layers + 1));
        model.call(zeros(1, model.MaxPositions, dtype: ScalarType.Int64));   // as many as there are is well
    }

    [Fact]
    public void Constructor_OptionsThatCannotWork_NamesThem()
    {
        BertTextOptions[] faulty =
        [
            Bert with { VocabularySize = 0 }, Bert with { HiddenSize = 0 }, Bert with { IntermediateSize = 0 }, Bert with { Layers = 0 },
                Bert with { Heads = 5 },
            Bert with { TypeVocabularySize = 0 }, Bert with { LayerNormEps = 0 }, Bert with { PadTokenId = 500 },
                Bert with { PositionRows = 2 },
            Bert with { Activation = "mish" }, Roberta with { PositionRows = 4 },
        ];
        foreach (var options in faulty) Assert.Throws<InvalidOptionsException>(() => new BertTextModel(options));
        LdmBertOptions[] others =
        [
            LdmBertOptions.Tiny with { VocabularySize = 0 }, LdmBertOptions.Tiny with { HiddenSize = 0 },
                LdmBertOptions.Tiny with { Heads = 0 },
            LdmBertOptions.Tiny with { HeadSize = 0 }, LdmBertOptions.Tiny with { MaxPositions = 2 },
                LdmBertOptions.Tiny with { Activation = "mish" },
            LdmBertOptions.Tiny with { PadTokenId = -1 }, LdmBertOptions.Tiny with { IntermediateSize = 0 },
                LdmBertOptions.Tiny with { Layers = 0 },
        ];
        foreach (var options in others) Assert.Throws<InvalidOptionsException>(() => new LdmBertModel(options));
        Assert.Empty(BertTextOptions.Taiyi.Validate());
        Assert.Empty(BertTextOptions.Roberta.Validate());
        Assert.Empty(new LdmBertOptions().Validate());
        Assert.Equal((512, 512), (BertTextOptions.Taiyi.MaxPositions, BertTextOptions.Roberta.MaxPositions));
    }

    [Fact]
    public void StateDict_HasTheNamesOfTheReference()
    {
        using var bert = new BertTextModel(Bert with { Layers = 1 });
        string[] layer =
        [
            "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "attention.output.LayerNorm",
            "intermediate.dense", "output.dense", "output.LayerNorm",
        ];
        Assert.Equal(
            [
                "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight", "embeddings.token_type_embeddings.weight",
                "embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias",
                .. layer.SelectMany(name => (string[])[$"encoder.layer.0.{name}.weight", $"encoder.layer.0.{name}.bias"]),
            ],
            bert.state_dict().Keys);

        using var ldm = new LdmBertModel(LdmBertOptions.Tiny with { Layers = 1 });
        string[] ldmLayer =
        [
            "self_attn.k_proj.weight", "self_attn.v_proj.weight", "self_attn.q_proj.weight", "self_attn.out_proj.weight",
                "self_attn.out_proj.bias",
            "self_attn_layer_norm.weight", "self_attn_layer_norm.bias", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias",
            "final_layer_norm.weight", "final_layer_norm.bias",
        ];
        Assert.Equal(
            ["model.embed_tokens.weight", "model.embed_positions.weight", "model.layer_norm.weight", "model.layer_norm.bias",
                .. ldmLayer.Select(name => "model.layers.0." + name)],
            ldm.state_dict().Keys.OrderBy(name => name.Contains("layers", StringComparison.Ordinal)));
    }

    private static bool IsTokenTable(string name) => name is "embeddings.word_embeddings.weight" or "model.embed_tokens.weight";

    /// <summary>Two texts of nine places: one of four tokens and padding, one that fills its row.</summary>
    private static Tensor Texts(int pad) =>
        tensor(new long[] { 2, 11, 12, 3, pad, pad, pad, pad, pad, 2, 21, 22, 23, 24, 25, 26, 27, 3 }, [2, 9], dtype: ScalarType.Int64);

    private static MaskedTextModel Create(string kind) => Randomised<MaskedTextModel>(kind switch
    {
        "bert" => new BertTextModel(Bert),
        "roberta" => new BertTextModel(Roberta),
        _ => new LdmBertModel(LdmBertOptions.Tiny),
    });

    /// <summary>Weights large enough that nothing is lost in a sum, norms and biases included.</summary>
    private static T Randomised<T>(T model) where T : nn.Module
    {
        using var frozen = no_grad();
        using var random = new Generator(17);
        foreach (var (name, parameter) in model.named_parameters())
        {
            using var scope = NewDisposeScope();
            var values = randn(parameter.shape, generator: random) * 0.25;
            parameter.copy_(name.Contains("norm", StringComparison.OrdinalIgnoreCase)
                && name.EndsWith("weight", StringComparison.Ordinal) ? values + 1 : values);
        }

        return model;
    }

    private static void AssertAgrees(MaskedTextModel model, Func<long[], bool[]?, int, bool, double[][]> plain)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var rows = Texts(model.PadTokenId);
        for (var text = 0; text < 2; text++)
        {
            var ids = rows[text].data<long>().ToArray();
            var visible = ids.Select(id => id != model.PadTokenId).ToArray();
            foreach (var (mask, clipSkip, finalNorm) in new[] { (null, 1, true), (visible, 1, true), (visible, 2, true),
                (visible, 2, false) })
            {
                var expected = plain(ids, mask, model.Layers + 1 - clipSkip, finalNorm);
                var actual = model.HiddenState(rows, mask is null ? null : rows.ne(model.PadTokenId), clipSkip, finalNorm)[text];
                var flat = actual.to(ScalarType.Float64).contiguous().data<double>().ToArray();
                var largest = 0.0;
                for (var l = 0; l < ids.Length; l++)
                    for (var c = 0; c < model.Width; c++) largest = Math.Max(largest, Math.Abs(expected[l][c] - flat[l * model.Width + c]));
                Assert.True(largest < 1e-5, $"text {text}, mask {mask is not null}, clip skip {clipSkip}: {largest}");
            }
        }
    }
}
