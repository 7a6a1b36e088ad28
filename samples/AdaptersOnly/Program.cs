using System.Globalization;
using StableTune;
using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Samples;

// A host with a training loop of its own takes two packages: StableTune.Checkpoints loads the UNet, StableTune.Adapters puts a LoRA on it
// and saves it. Nothing else of StableTune trains here.
//   bash samples/run.sh AdaptersOnly [FOLDER]     out/adapters-only
var output = Path.GetFullPath(args.FirstOrDefault() ?? Path.Combine("out", "adapters-only"));
var adapter = Path.Combine(output, "adapter.safetensors");
TinyModel.Unpack(Path.Combine(output, "model"));

using var random = new Generator(1);
using var model = Load();
using var lora = AdapterNetwork.Attach(
    ModelHosts.Of(model, AdapterParts.UNet), new LoRAOptions { Rank = 4, Alpha = 4, Parts = AdapterParts.UNet }, random);
using var optimizer = optim.AdamW(lora.NamedParameters().Select(entry => entry.Parameter), lr: 3e-3, weight_decay: 0);
using var inputs = NewDisposeScope();
var latents = randn(2, 4, 8, 8, generator: random);                          // [B, 4, H/8, W/8]; a host has its own
var target = randn(2, 4, 8, 8, generator: random);
var timesteps = tensor(new long[] { 100, 600 });
var context = randn(2, 77, model.UNet.Options.CrossAttentionDim, generator: random);   // [B, 77, C]: text encoder outputs

for (var step = 0; step <= 30; step++)
{
    using var scope = NewDisposeScope();
    var loss = nn.functional.mse_loss(model.UNet.forward(latents, timesteps, context, null), target);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    if (step % 10 == 0) Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"step {step,2}: loss {loss.item<float>():F4}"));
}

lora.Save(adapter);

// Whoever loads the file gets the same answers.
using var copy = Load();
using var loaded = AdapterNetwork.FromFile(adapter, ModelHosts.Of(copy, AdapterParts.UNet));
using var without = no_grad();
var difference = (model.UNet.forward(latents, timesteps, context, null) - copy.UNet.forward(latents, timesteps, context, null)).abs().max();
Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
    $"saved as {adapter}; a copy that loads it differs by {difference.item<float>():G3}"));

StableDiffusionModel Load()
{
    var loadedModel = ModelLoader.Load(Path.Combine(output, "model"), new ModelLoadOptions { Parts = ModelParts.UNet });
    foreach (var parameter in loadedModel.UNet.parameters()) parameter.requires_grad = false;   // the model itself stays as it is
    return loadedModel;
}
