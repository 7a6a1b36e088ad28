using StableTune.Adapters;

namespace StableTune.Samples;

/// <summary>A model of TorchSharp's own layers: from a picture of one bright spot, [B, 1, 8, 8], to where it is, [B, 2].</summary>
internal sealed class SpotFinder : nn.Module<Tensor, Tensor>
{
    private readonly nn.Module<Tensor, Tensor> layers = nn.Sequential(
        ("conv", nn.Conv2d(1, 8, 3, padding: 1L)), ("act1", nn.SiLU()), ("flat", nn.Flatten()),
        ("hidden", nn.Linear(8 * 8 * 8, 32)), ("act2", nn.SiLU()), ("place", nn.Linear(32, 2)));

    public SpotFinder() : base(nameof(SpotFinder)) => RegisterComponents();

    public override Tensor forward(Tensor pixels) => layers.call(pixels);
}

/// <summary>A LoRA on a model of one's own, trained by one's own loop.</summary>
internal static class OwnModel
{
    /// <summary>Trains, saves, loads into a copy, and tells what happens.</summary>
    /// <returns>The first and the last loss, and by how much the copy's answers differ from the model's.</returns>
    public static (float First, float Last, float Difference) Run(string path, Action<string> tell, int steps = 200)
    {
        using var random = new Generator(1);
        using var model = new SpotFinder();
        foreach (var parameter in model.parameters()) parameter.requires_grad = false;         // the model itself stays as it is

        var options = new LoRAOptions { Rank = 4, Alpha = 4, Layers = LayerSelection.Everything };
        using var lora = AdapterNetwork.Attach(new AdapterHosts(model), options, random);
        using var optimizer = optim.AdamW(lora.NamedParameters().Select(entry => entry.Parameter), lr: 1e-2, weight_decay: 1e-2);
        var losses = new List<float>();
        for (var step = 0; step < steps; step++)
        {
            using var scope = NewDisposeScope();
            var (pixels, places) = Spots(32, random);
            var loss = nn.functional.mse_loss(model.call(pixels), places);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
            losses.Add(loss.item<float>());
            if (step % 50 == 0) tell($"step {step,3}: loss {losses[^1]:F4}");
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        lora.Save(path);

        using var ends = NewDisposeScope();
        using var copy = new SpotFinder();
        copy.load_state_dict(model.state_dict());
        using var loaded = AdapterNetwork.FromFile(path, new AdapterHosts(copy));
        var (test, _) = Spots(32, random);
        var difference = (model.call(test) - copy.call(test)).abs().max().item<float>();
        tell($"step {steps,3}: loss {losses[^1]:F4}, saved as {path}; a copy that loads it differs by {difference}");
        return (losses[0], losses[^1], difference);
    }

    /// <summary>Pictures of one spot each, and where it is: row and column from 0 to 1.</summary>
    private static (Tensor Pixels, Tensor Places) Spots(long count, Generator random)
    {
        var places = rand(count, 2, generator: random);
        var grid = linspace(0, 1, 8);
        var rows = (grid - places.select(1, 0).unsqueeze(1)).pow(2).unsqueeze(2);               // [B, 8, 1]
        var columns = (grid - places.select(1, 1).unsqueeze(1)).pow(2).unsqueeze(1);            // [B, 1, 8]
        return ((-(rows + columns) * 20).exp().unsqueeze(1), places);
    }
}
