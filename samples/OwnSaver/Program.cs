using StableTune;
using StableTune.Samples;
using StableTune.Training;

// Enters each result into a register with its hash: the saver is a class of this program (RegisterSaver.cs) around the usual one.
//   bash samples/run.sh OwnSaver [FOLDER]         out/own-saver
var output = Path.GetFullPath(args.FirstOrDefault() ?? Path.Combine("out", "own-saver"));
var register = Path.Combine(output, "register.json");
TinyModel.Unpack(Path.Combine(output, "model"));
try
{
    var result = new TrainerBuilder()
        .WithModel(Path.Combine(output, "model"))
        .WithImages(Path.Combine(AppContext.BaseDirectory, "images", "5_sls frog"), resolution: 64)
        .WithBatchSize(4)
        .WithLoRA(rank: 4, alpha: 4)
        .WithLearningRate(1e-3)
        .For(TrainingLength.Steps(4))
        .SaveEvery(steps: 2)
        .SaveTo(new RegisterSaver(new TrainableSaver(Path.Combine(output, "frog.safetensors")), register))
        .Overwrite()
        .Train();
    Console.WriteLine($"{result.Steps} steps; {register}:");
    Console.WriteLine(File.ReadAllText(register));
    return 0;
}
catch (InvalidOptionsException e)
{
    Console.Error.WriteLine(e.Message);
    return 2;
}
