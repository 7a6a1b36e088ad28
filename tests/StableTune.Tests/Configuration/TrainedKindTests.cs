using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Tests.Configuration;

/// <summary>Options of what is trained besides adapters reach the plan, and come back from it.</summary>
public sealed class TrainedKindTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ControlNet_ReachesThePlan()
    {
        var plan = Plan(RunScript.ControlNet, "--controlnet_model_name_or_path canny --conditioning_data_dir edges --conditioning_scale "
            + "0.5 --global_average_pooling --conditioning_range minus_one_to_one --proportion_empty_prompts 0.5 --save_model_as ckpt");
        var control = Assert.IsType<ControlNetOptions>(Assert.Single(plan.Trainables));
        Assert.Equal(("canny", true, 0.5, ControlPictureRange.MinusOneToOne, true), (control.InitialWeights, control.GlobalPool,
            control.Scale, control.Range, control.Trained));
        var subset = Assert.Single(plan.Dataset.Subsets).Options;
        Assert.Equal(("edges", 0.5), (subset.ConditioningFolder, subset.Captions.DropoutRate));
        Assert.Equal(Path.Combine("out", "last.ckpt"), ((TrainableSaver)plan.Savers[0]).Path);
        Assert.Null(((ControlNetOptions)Plan(RunScript.ControlNet, "").Trainables[0]).GlobalPool);
        Assert.Equal(Path.Combine("out", "last"),
            ((TrainableSaver)Plan(RunScript.ControlNet, "--save_model_as diffusers").Savers[0]).Path);
    }

    [Fact]
    public void LLLite_IsTrained_WithItsWidth()
    {
        var run = Run(RunScript.ControlNet, "--cond_emb_dim 16 --network_dim 32 --network_dropout 0.1 --network_weights w.safetensors "
            + "--conditioning_scale 0.5");
        var adapter = Assert.IsType<AdapterTrainableOptions>(Assert.Single(run.Builder.Plan.Trainables));
        var lite = Assert.IsType<LLLiteOptions>(adapter.Adapter);
        Assert.Equal((16, 32, 0.1, "w.safetensors"), (lite.ConditionDim, lite.Dim, lite.Dropout, adapter.InitialWeights));
        Assert.Contains(run.Notes, note => note.Contains("conditioning_scale is 0.5: it is not looked at", StringComparison.Ordinal));
    }

    [Fact]
    public void AControlNet_AndLLLite_ComeBack()
    {
        ComesBack(Begin().WithControlNet(o => o with { InitialWeights = "w", GlobalPool = false, Scale = 2 })
            .SaveTo(Path.Combine("out", "edges")), RunScript.ControlNet);
        ComesBack(Begin().WithFrozenControlNet("w").SaveTo("out/e.safetensors"), RunScript.ControlNet);
        ComesBack(Begin().WithAdapter(new LLLiteOptions { ConditionDim = 8, Dim = 16 }).SaveTo("out/e.safetensors"),
            RunScript.ControlNet);
    }

    [Fact]
    public void WholeModels_TakeStopAndRates()
    {
        var rates = string.Join(',', Enumerable.Range(0, 23).Select(i => i % 2 == 0 ? "1e-6" : "0"));
        var plan = Plan(RunScript.DreamBooth, "--stop_text_encoder_training 300 --learning_rate_te1 1e-7 --learning_rate_te2 2e-7 "
            + $"--unet_lr 3e-6 --block_lr {rates}");
        var model = Assert.IsType<ModelTrainableOptions>(Assert.Single(plan.Trainables));
        Assert.Equal((300, ModelParts.UNet | ModelParts.TextEncoder), (model.StopTextEncoderAt, model.Parts));
        Assert.Equal(Enumerable.Range(0, 23).Select(i => i % 2 == 0 ? 1e-6 : 0), model.BlockLearningRates);
        Assert.Equal((1e-7, 2e-7, 3e-6), (plan.TextEncoderLearningRate, plan.SecondTextEncoderLearningRate, plan.UNetLearningRate));
        var text = Plan(RunScript.DreamBooth, "--train_unet=false");
        Assert.Equal(ModelParts.TextEncoder, ((ModelTrainableOptions)text.Trainables[0]).Parts);
    }

    [Theory]
    [InlineData("--learning_rate_te 1e-7 --learning_rate_te1 1e-7", "learning_rate_te1 says the same")]
    [InlineData("--train_unet=false --train_text_encoder=false", "train_unet is \"false\"")]
    [InlineData("--train_unet=false --stop_text_encoder_training -1", "so nothing is")]
    public void WholeModels_WhatDoesNotGoTogether_IsTold(string options, string told) => Assert.Contains(told,
        Assert.Throws<InvalidOptionsException>(() => Plan(RunScript.DreamBooth, options)).Message, StringComparison.Ordinal);

    [Fact]
    public void ARateOfATextEncoder_ThatIsNotTrained_IsTold() => Assert.Contains(
        Run(RunScript.FineTune, "--in_json meta.json --learning_rate_te 1e-7").Notes,
        note => note.Contains("the text encoder is not trained", StringComparison.Ordinal));

    [Fact]
    public void WholeModels_WithEverythingSaid_ComeBack()
    {
        ComesBack(Begin().SaveTo("out/m.safetensors").WithFullTraining(o => o with
        {
            Parts = ModelParts.UNet | ModelParts.TextEncoder, UNetRate = 1e-6, TextEncoderRate = 2e-7, SecondTextEncoderRate = 3e-7,
            StopTextEncoderAt = 200,
        }), RunScript.DreamBooth);
        ComesBack(Begin().SaveTo("out/m.safetensors").WithFullTraining(o => o with { BlockLearningRates = [1e-6, 0, 2e-6] }),
            RunScript.DreamBooth);
        ComesBack(Begin().SaveTo("out/m.safetensors").WithFullTraining(ModelParts.TextEncoder), RunScript.DreamBooth);
        ComesBack(Begin().SaveTo("out/m.safetensors").WithFullTraining(o => o with
        {
            Parts = ModelParts.UNet | ModelParts.TextEncoder, StopTextEncoderAt = 0,
        }), RunScript.DreamBooth);
    }

    [Fact]
    public void ClassImages_AreDrawnAsSaid_AlsoBesideADataSetFile()
    {
        const string said = "--with_prior_preservation --class_data_dir classes --class_prompt dogs --num_class_images 7 "
            + "--sample_batch_size 2 --prior_generation_precision bf16 --prior_loss_weight 0.5";
        var file = _folder.File("data.toml");
        File.WriteAllText(file, "[[datasets]]\nresolution = 64\n[[datasets.subsets]]\nimage_dir = \"a\"");
        foreach (var (plan, side) in new[] { (Plan(RunScript.DreamBooth, said + " --resolution 96"), 96),
            (Plan(RunScript.DreamBooth, $"{said} --dataset_config {file}"), 64) })
        {
            var subset = plan.Dataset.Subsets[^1];
            var options = Assert.IsType<ClassImageSource>(subset.Source).Options;
            Assert.Equal(("classes", "dogs", 7, 2, ScalarType.BFloat16), (options.Folder, options.Prompt, options.Count,
                options.BatchSize, options.Precision));
            Assert.Equal([new PixelSize(side, side)], options.Sizes);
            Assert.Equal((true, PriorStyle.Paired, 0.5), (subset.Options.IsRegularization, plan.Dataset.Options.PriorStyle,
                plan.Dataset.Options.PriorLossWeight));
        }
    }

    [Fact]
    public void ClassImages_ComeBack()
    {
        var builder = Begin().WithFullTraining().WithPriorPreservation(_folder.File("class"), "a frog", 200, 0.5,
            o => o with { BatchSize = 2, Precision = ScalarType.Float32 }).SaveTo("out/m.safetensors");
        var plan = ComesBack(builder, RunScript.DreamBooth);
        var options = Assert.IsType<ClassImageSource>(plan.Dataset.Subsets[^1].Source).Options;
        Assert.Equal((_folder.File("class"), "a frog", 200, 2, ScalarType.Float32),
            (options.Folder!, options.Prompt!, options.Count, options.BatchSize, options.Precision));
        var other = Begin().WithFullTraining().WithPriorPreservation("class", "a frog", change: o => o with { Steps = 9 })
            .SaveTo("out/m.safetensors");
        Assert.Throws<InvalidOptionsException>(() => other.ToToml());
    }

    [Theory]
    [InlineData("--use_object_template", PromptTemplate.Object)]
    [InlineData("--use_style_template", PromptTemplate.Style)]
    [InlineData("--learnable_property style", PromptTemplate.Style)]
    [InlineData("--learnable_property object", PromptTemplate.Object)]
    [InlineData("", PromptTemplate.None)]
    public void AWord_TakesSentences(string options, PromptTemplate template)
    {
        var word = Assert.IsType<TextualInversionOptions>(Plan(RunScript.TextualInversion,
            options + " --num_vectors_per_token 3 --init_word dog").Trainables[0]);
        Assert.Equal(("sksdog", 3, "dog", template), (word.Token, word.Vectors, word.InitWord, word.Template));
    }

    [Theory]
    [InlineData("pt", "last.pt", null)]
    [InlineData("ckpt", "last.ckpt", null)]
    [InlineData("diffusers", "last.bin", null)]
    [InlineData("diffusers_safetensors", "last.safetensors", EmbeddingFormat.Diffusers)]
    public void AWord_HasAForm(string form, string name, EmbeddingFormat? format)
    {
        var plan = Plan(RunScript.TextualInversion, $"--save_model_as {form} --weights w.pt");
        var word = (TextualInversionOptions)plan.Trainables[0];
        Assert.Equal((Path.Combine("out", name), format, "w.pt"),
            (((TrainableSaver)plan.Savers[0]).Path, word.Format, word.InitialWeights));
        ComesBack(Begin().WithTextualInversion(word with { InitialWeights = null, Template = PromptTemplate.Style })
            .SaveTo(Path.Combine("out", name)), RunScript.TextualInversion);
    }

    [Fact]
    public void AWordOfEachLayer_ComesBack()
    {
        var plan = Plan(RunScript.ExtendedTextualInversion, "--init_word dog --num_vectors_per_token 2 --use_style_template");
        var word = Assert.IsType<ExtendedTextualInversionOptions>(Assert.Single(plan.Trainables));
        Assert.Equal(("sksdog", 2, "dog", PromptTemplate.Style), (word.Token, word.Vectors, word.InitWord, word.Template));
        ComesBack(Begin().WithExtendedTextualInversion(word).SaveTo(Path.Combine("out", "last.safetensors")),
            RunScript.ExtendedTextualInversion);
        Assert.Contains("sd-scripts' form only", Assert.Throws<InvalidOptionsException>(() =>
            Plan(RunScript.ExtendedTextualInversion, "--save_model_as diffusers")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TwoTemplates_AreRefused() => Assert.Contains("use_object_template chooses the sentences too",
        Assert.Throws<InvalidOptionsException>(() => Plan(RunScript.TextualInversion,
            "--use_object_template --use_style_template")).Message, StringComparison.Ordinal);

    [Fact]
    public void PpDiffusers_AWord_HasItsSentencesAndForm()
    {
        var plan = TrainerBuilder.FromArguments("--pretrained_model_name_or_path m --train_data_dir cats --placeholder_token <cat> "
            .Split(' ', StringSplitOptions.RemoveEmptyEntries), ReferenceStyle.PpDiffusers, RunScript.TextualInversion).Plan;
        var word = Assert.IsType<TextualInversionOptions>(plan.Trainables[0]);
        Assert.Equal((PromptTemplate.Object, EmbeddingFormat.Diffusers), (word.Template, word.Format));
        Assert.Equal("cats", Assert.IsType<FolderSource>(Assert.Single(plan.Dataset.Subsets).Source).Folder);
        Assert.Equal(Path.Combine("dreambooth-model", "learned_embeds.safetensors"), ((TrainableSaver)plan.Savers[0]).Path);
    }

    [Fact]
    public void ModelOptions_ReachThePlan_AndComeBack()
    {
        var plan = Plan(RunScript.Network, "--no_token_padding --tokenizer_cache_dir cache --tokenizer_name own/words --no_half_vae "
            + "--disable_mmap_load_safetensors --squared_masks");
        Assert.Equal((false, "cache", "own/words", ScalarType.Float32, WeightStorage.Copied, true), (plan.PadTokens,
            plan.Model.TokenizerCacheFolder!, plan.Model.TokenizerPath!, plan.Model.VaeType!.Value, plan.Model.Storage,
            plan.Loss.Masks.Squared));
        var builder = Begin().WithLoRA(4).SaveTo("out/l.safetensors").Change(_ => plan with
        {
            Trainables = _.Trainables, Dataset = _.Dataset, Savers = _.Savers,
        });
        Assert.Contains("no_token_padding = true", builder.ToToml(), StringComparison.Ordinal);
    }

    [Fact]
    public void SdTrainer_ControlNetPfgAndNetwork_AreTrainedTogether()
    {
        var data = _folder.Folder("data");
        Directory.CreateDirectory(Path.Combine(data, "pfg"));
        File.WriteAllText(Path.Combine(data, "pfg", "1.npz"), "");
        var plan = TrainerBuilder.FromYaml(Yaml($$$"""
            model: {input_path: m, output_name: n}
            dataset:
              args: {path: '{{{data}}}', pfg: true, control: true}
            save: {args: {prompt: a girl}}
            feature: {step_range: "0.5,1.0"}
            controlnet: {resume: canny, train: true, global_average_pooling: true}
            pfg: {resume: null, train: true, args: {input_size: 700, cross_attention_dim: 1024, num_tokens: 5}}
            network: {module: networks.lora.LoRANetwork, args: {rank: 8}}
            """)).Plan;
        Assert.Equal(new UniformTimesteps { Min = 500, Max = 1000 }, plan.Timesteps);
        Assert.True(plan.Loss.Masks.Squared);
        Assert.Equal(["networks", "controlnet", "pfg"], plan.Trainables.Select(trainable => trainable.EffectiveName));
        var control = (ControlNetOptions)plan.Trainables[1];
        Assert.Equal(("canny", true), (control.InitialWeights, control.GlobalPool));
        var pfg = (PfgOptions)plan.Trainables[2];
        Assert.Equal((700, 1024, 5), (pfg.InputSize, pfg.ContextWidth, pfg.Tokens));
        Assert.Equal([Path.Combine(data, "pfg", "1.npz")], pfg.SampleFeatures);
        Assert.Equal(Path.Combine("trained", "{name}", "n.pt"), ((TrainableSaver)plan.Savers[0]).Path);
    }

    [Theory]
    [InlineData("controlnet: {train: true}", "controlnet", "n")]
    [InlineData("pfg: {train: true}\ntrain: {train_unet: false}", "pfg", "n.pt")]
    [InlineData("pfg: {train: false, resume: p.pt}\nnetwork: {train: true}", "networks", "n.pt")]
    [InlineData("pfg: {train: true}", "{name}", "n.safetensors")]
    public void SdTrainer_ResultsLie_WhereItPutsThem(string sections, string folder, string name)
    {
        var plan = TrainerBuilder.FromYaml(Yaml("model: {input_path: m, output_name: n}\n" + sections)).Plan;
        Assert.Equal(Path.Combine("trained", folder, name), ((TrainableSaver)plan.Savers[0]).Path);
    }

    [Fact]
    public void Pfg_ComesBack() => ComesBack(Begin().WithPfg(o => o with { Tokens = 4, InputSize = 12, InitialWeights = "p.pt" })
        .SaveTo("out/p.pt"), RunScript.FineTune);

    private TrainingPlan ComesBack(TrainerBuilder builder, RunScript script)
    {
        var text = builder.ToToml();
        var file = _folder.File("run.toml");
        File.WriteAllText(file, text);
        var read = TrainerBuilder.FromToml(file, script);
        Assert.Equal(text, read.ToToml());
        return read.Plan;
    }

    private TrainerBuilder Begin() => new TrainerBuilder().WithModel("model").WithImages(_folder.Folder("img"), 64);

    private string Yaml(string text)
    {
        var path = _folder.File("config.yaml");
        File.WriteAllText(path, text);
        return path;
    }

    private static TrainingPlan Plan(RunScript script, string options) => Run(script, options).Builder.Plan;

    private static RunConfiguration Run(RunScript script, string options) => RunConfiguration.Parse(
        [.. OptionNameTests.Base(script), .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)], script);
}
